"""Policies of Azure Device Registry that bring their own root (a preview): the CSR of Azure's issuing CA, and its activation.

By the published SDK of api-version 2026-03-01-preview. A policy has no etag; what stands in for one is a digest of what it says.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.core.tools import get_arm_endpoints
from azure.mgmt.deviceregistry import DeviceRegistryMgmtClient
from azure.mgmt.deviceregistry import models as azure
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ceremony.canonical import canonical_json
from ceremony.online.answered import Answered, Patience, Watch
from ceremony.online.azure_errors import REGISTRY_ROLE, AzureFailure, azure_errors, cleaned, odd_answer
from ceremony.online.clouds import CLOUDS
from ceremony.online.config import OnlineConfig
from ceremony.online.pipeline import policies_for, transport_for
from ceremony.words import sha256_hex

PENDING, ACTIVE, RENEWAL = "PendingActivation", "Active", "ActiveButPendingRenewal"
"""What a policy says of its issuing CA: waits for its first certificate; has one; has one that ends soon, and asks for the next."""
_LARGEST_CSR = 64 << 10
_LONGEST_TEXT = 4096
_ENDED_BADLY = ("failed", "canceled")


@dataclass(frozen=True)
class Policy:
    """A policy as the service tells of it. `place` is NAMESPACE/POLICY as it was asked for.

    `status` is one of the three above, or whatever the service says; `csr` is PEM, "" where none waits; `thumbprint` is of the
    certificate of the issuing CA, hex in lower case, "" where there is none.
    """

    place: str
    brings_own_root: bool
    provisioning: str
    status: str
    csr: str
    thumbprint: str
    not_after: datetime | None

    @property
    def state(self) -> str:
        """SHA-256 (hex) of all that a plan depends on: in place of the etag that a policy does not have."""
        return sha256_hex(canonical_json([self.brings_own_root, self.status, self.csr, self.thumbprint]))

    @property
    def state_when_active(self) -> str:
        """The same of the certificate alone: what `state` was before it asked for the next one."""
        return replace(self, status=ACTIVE, csr="").state

    @property
    def is_worked_on(self) -> bool:
        """Whether an operation on it has not ended."""
        return self.provisioning.lower() == "accepted"

    @property
    def asks(self) -> bool:
        """Whether a CSR of it waits for a certificate."""
        return self.status in (PENDING, RENEWAL) and bool(self.csr)

    def is_active_with(self, certificate_der: bytes) -> bool:
        """Whether its issuing CA has this certificate, by SHA-1 or SHA-256: the description does not say which one is shown."""
        found = x509.load_der_x509_certificate(certificate_der)
        digests = [found.fingerprint(algorithm).hex() for algorithm in (hashes.SHA1(), hashes.SHA256())]  # noqa: S303 - the service's form
        return self.status in (ACTIVE, RENEWAL) and self.thumbprint in digests


class DeviceRegistry:
    """The policies of the namespaces in one resource group. Every method raises AzureFailure; `watch.last` tells of the last call."""

    def __init__(self, config: OnlineConfig, credential: TokenCredential, patience: Patience = Patience()) -> None:  # noqa: B008 - frozen
        cloud = CLOUDS[config.cloud]
        self._group, self._patience = config.registry_resource_group or config.resource_group, patience
        self._manager = config.endpoint or get_arm_endpoints(cloud.sdk)["resource_manager"]
        self.watch = Watch()
        self._client = DeviceRegistryMgmtClient(
            credential,
            config.subscription,
            config.endpoint,
            cloud_setting=cloud.sdk,
            policies=policies_for(credential, cloud.manager_scope, patience, self.watch),
            transport=transport_for(config),
        )

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def policy(self, place: str) -> Policy | None:
        """The policy at NAMESPACE/POLICY; None when there is none."""
        doing = f"reading the policy {place}"
        try:
            with azure_errors(doing, REGISTRY_ROLE):
                found = self._client.policies.get(**self._at(place))
        except AzureFailure as failed:
            if failed.status == 404:
                return None
            raise
        return _policy(place, found, doing)

    def activate(self, place: str, chain_pem: str) -> Answered:
        """Hands over the certificate that was signed for the policy's CSR, and its root after it (PEM); returns when that has ended.

        The answer is that to the hand-over. Raises AzureFailure also where the service ends it badly, or not in the time of `patience`.
        """
        doing = f"activating the policy {place}"
        body = azure.ActivateBringYourOwnRootRequest(certificate_chain=chain_pem)
        try:
            with azure_errors(doing, REGISTRY_ROLE):
                # Not by the SDK's own poller: that goes, with our token, wherever the answer points.
                begun: Any = self._client.policies.begin_activate_bring_your_own_root(
                    **self._at(place), body=body, polling=False, cls=lambda response, _body, _headers: response
                )
                headers: Mapping[str, str] = begun.result().http_response.headers
        except AzureFailure:
            there = self.policy(place)
            if there is not None and there.is_worked_on:
                # An earlier try was taken, and its answer lost: whoever called finds what came of it.
                self._wait(place, doing, {})
            raise
        answered = self.watch.last
        self._wait(place, doing, headers)
        return answered

    def _wait(self, place: str, doing: str, headers: Mapping[str, str]) -> None:
        """Until the policy says that it is active. The operation's own word goes first where the manager tells it: it has the reason."""
        until = time.monotonic() + self._patience.seconds
        where = headers.get("Location") or ""
        pause = min(_seconds(headers.get("Retry-After")) or self._patience.backoff, self._patience.longest_wait)
        going = self._is_the_managers(where)
        while True:
            going = going and self._still_going(where, doing)
            policy = None if going else self.policy(place)
            if policy is not None and policy.provisioning.lower() in _ENDED_BADLY:
                raise _ended_badly(doing, policy.provisioning, "no reason is told")
            if policy is not None and policy.status == ACTIVE and not policy.is_worked_on:
                return
            if time.monotonic() > until:
                what = f"While {doing}: it has not ended after {self._patience.seconds} seconds."
                do_now = "Wait some minutes, then give the same command again."
                raise AzureFailure("AZURE-FAILED", what, do_now=do_now, outcome_unknown=True)
            time.sleep(pause)

    def _still_going(self, where: str, doing: str) -> bool:
        """Whether the operation at this address goes on. Raises AzureFailure when it ended badly, with the service's reason."""
        with azure_errors(doing, REGISTRY_ROLE):
            response = self._client.send_request(HttpRequest("GET", where))
            if response.status_code >= 300:
                raise HttpResponseError(response=response)
            if response.status_code == 202:
                return True
            told = response.json() if response.content else {}
        status = str(told.get("status") or "") if isinstance(told, dict) else ""
        if status.lower() in _ENDED_BADLY:
            error = told.get("error")
            reason = str(error.get("message") or "") if isinstance(error, dict) else ""
            raise _ended_badly(doing, status, reason or "no reason is told")
        return status.lower() not in ("", "succeeded")

    def _is_the_managers(self, address: str) -> bool:
        """Whether an address is of the host that our calls go to: a token goes nowhere else."""
        ours, theirs = urlsplit(self._manager), urlsplit(address)
        return bool(address) and (theirs.scheme, theirs.netloc.lower()) == (ours.scheme, ours.netloc.lower())

    def _at(self, place: str) -> dict[str, str]:
        namespace, _, policy = place.partition("/")
        return {"resource_group_name": self._group, "namespace_name": namespace, "policy_name": policy}


def _policy(place: str, found: Any, doing: str) -> Policy:
    """Read from the JSON itself: whatever the service writes, each part is of its kind or refused."""
    told = _table(found, "properties")
    authority = _table(_table(told, "certificate"), "certificateAuthorityConfiguration")
    own_root = _table(authority, "bringYourOwnRoot")
    provisioning, status = _text(told, "provisioningState"), _text(own_root, "status")
    csr, thumbprint = _text(own_root, "certificateSigningRequest", _LARGEST_CSR), _text(own_root, "issuingCertificateThumbprint")
    if not told or None in (provisioning, status, csr, thumbprint):
        raise odd_answer(doing)
    return Policy(
        place=place,
        brings_own_root=own_root.get("enabled") is True,
        provisioning=provisioning or "",
        status=status or "",
        csr=csr or "",
        thumbprint=(thumbprint or "").replace(":", "").lower(),
        not_after=_moment(authority.get("validityNotAfter")),
    )


def _table(value: Any, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(table: Mapping[str, Any], key: str, most: int = _LONGEST_TEXT) -> str | None:
    """The text under this key, "" where there is none; None for what is no text, or too long."""
    found = table.get(key)
    if found is None:
        return ""
    return found if isinstance(found, str) and found.isascii() and len(found) <= most else None


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _seconds(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else 0


def _ended_badly(doing: str, status: str, reason: str) -> AzureFailure:
    what = f"While {doing} the service ended it as {cleaned(status)}: {cleaned(reason).rstrip('.')}."
    return AzureFailure("AZURE-REFUSED", what, number=cleaned(status))
