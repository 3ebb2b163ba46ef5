"""The control plane (Azure Resource Manager): the service as a resource, and its CA certificates, by the published SDK.

Every write carries the etag it was decided on, in the one form that `_match` makes.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.mgmt.iothubprovisioningservices import IotDpsClient
from azure.mgmt.iothubprovisioningservices import models as azure
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ceremony.errors import CeremonyError
from ceremony.online.answered import LONGEST_ID, Patience, Watch, http_date
from ceremony.online.azure_errors import AzureFailure, azure_errors, odd_answer
from ceremony.online.clouds import CLOUDS
from ceremony.online.config import OnlineConfig, is_loopback
from ceremony.online.pipeline import policies_for, transport_for
from ceremony.pki.names import shown_text

MOST_CERTIFICATES = 25
"""The service's limit of CA certificates."""


@dataclass(frozen=True)
class ServiceFacts:
    """The service: id scope, host names (HOST or HOST:PORT), linked hubs, and whether shared keys are off."""

    id_scope: str
    service_host: str
    device_host: str
    hubs: tuple[str, ...]
    local_auth_disabled: bool


@dataclass(frozen=True)
class UploadedCertificate:
    """A CA certificate at the service. `sha256` (of its DER, hex) is None where the service shows only the SHA-1 thumbprint (hex).

    `is_self_issued`: it names itself as its issuer, so that nothing stands above it; False also where the service does not show it.
    `shown` is the certificate itself, None where the service does not show it.
    """

    name: str
    etag: str
    sha256: str | None
    sha1: str
    subject: str
    is_verified: bool
    not_after: datetime | None
    is_self_issued: bool
    shown: x509.Certificate | None = field(default=None, repr=False)

    def is_of(self, certificate_der: bytes) -> bool:
        """Whether it is this certificate, by the best digest that the service shows."""
        found = x509.load_der_x509_certificate(certificate_der)
        if self.sha256 is not None:
            return self.sha256 == found.fingerprint(hashes.SHA256()).hex()
        return self.sha1 == found.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - the service's own form, of a certificate we made


class ControlPlane:
    """The certificates of one service. Every method raises AzureFailure; `watch.last` tells of the last call."""

    def __init__(self, config: OnlineConfig, credential: TokenCredential, patience: Patience = Patience()) -> None:  # noqa: B008 - frozen
        self._config = config
        self.watch = Watch()
        cloud = CLOUDS[config.cloud]
        self._client = IotDpsClient(
            credential,
            config.subscription,
            config.endpoint,
            cloud_setting=cloud.sdk,
            policies=policies_for(credential, cloud.manager_scope, patience, self.watch),
            transport=transport_for(config),
        )
        self._where: dict[str, Any] = {"resource_group_name": config.resource_group, "provisioning_service_name": config.service}

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def service(self) -> ServiceFacts:
        """The service itself. For the simulator also raises CeremonyError ONLINE-NOT-LOOPBACK when it points elsewhere."""
        doing = "reading the service"
        with azure_errors(doing):
            found = self._client.iot_dps_resource.get(**self._where)
        told = _table(found, "properties", doing)
        hubs = told.get("iotHubs")
        facts = ServiceFacts(
            id_scope=str(told.get("idScope") or ""),
            service_host=str(told.get("serviceOperationsHostName") or ""),
            device_host=str(told.get("deviceProvisioningHostName") or ""),
            hubs=tuple(sorted(_hub_name(hub) for hub in hubs)) if isinstance(hubs, list) else (),
            local_auth_disabled=told.get("disableLocalAuth") is True,
        )
        if not facts.service_host:
            raise AzureFailure("AZURE-REFUSED", "The service names no host for enrollment groups; it may still be in the making.")
        if self._config.is_simulator and not _is_this_machine(facts.service_host):
            what = f"The simulator names {shown_text(facts.service_host)} as the host for enrollment groups, which is not this machine."
            raise CeremonyError("ONLINE-NOT-LOOPBACK", what, state="Nothing was sent there.")
        return facts

    def certificates(self) -> list[UploadedCertificate]:
        """All certificates, by name."""
        doing = "reading the certificates"
        with azure_errors(doing):
            found: Any = self._client.dps_certificate.list(**self._where)
        entries = found.get("value") if isinstance(found, Mapping) else None
        if not isinstance(entries, list):
            raise odd_answer(doing)
        return sorted((_uploaded(entry, doing) for entry in entries), key=lambda entry: entry.name)

    def certificate(self, name: str) -> UploadedCertificate | None:
        """The certificate of this name; None when there is none."""
        doing = f"reading the certificate {name}"
        try:
            with azure_errors(doing):
                found = self._client.dps_certificate.get(certificate_name=name, **self._where)
        except AzureFailure as failed:
            if failed.status == 404:
                return None
            raise
        return _uploaded(found, doing)

    def upload(self, name: str, certificate_pem: bytes, *, etag: str | None = None, self_attested: bool = False) -> None:
        """Puts a certificate (PEM) in the place of `etag`, or (None) where nothing is.

        `self_attested` takes the operator's word in place of a proof of possession: only where a person asked for it by name.
        """
        # bytes: the SDK encodes them as base64, and sends a str as it is.
        properties = azure.CertificateProperties(certificate=certificate_pem, **({"is_verified": True} if self_attested else {}))
        with azure_errors(f"uploading the certificate {name}"):
            self._client.dps_certificate.create_or_update(
                certificate_name=name,
                certificate_description=azure.CertificateResponse(properties=properties),
                **self._where,
                **(_match(etag) if etag is not None else {}),
            )

    def new_code(self, name: str, etag: str) -> str:
        """Asks for a verification code; one given before is void. The certificate's etag moves on: read it again."""
        doing = f"asking for a verification code for {name}"
        with azure_errors(doing):
            answer = self._client.dps_certificate.generate_verification_code(certificate_name=name, **self._where, **_match(etag))
        code = _table(answer, "properties", doing).get("verificationCode")
        if not (isinstance(code, str) and code):
            raise AzureFailure("AZURE-REFUSED", f"The service gave no verification code for {name}.", outcome_unknown=True)
        return code

    def verify(self, name: str, proof_pem: bytes, etag: str) -> None:
        """Sends the proof of possession (a certificate in PEM). The call takes base64 of it as a text."""
        with azure_errors(f"proving possession of {name}"):
            self._client.dps_certificate.verify_certificate(
                certificate_name=name,
                request=azure.VerificationCodeRequest(certificate=base64.b64encode(proof_pem).decode()),
                **self._where,
                **_match(etag),
            )

    def delete(self, name: str, etag: str) -> None:
        """Takes the certificate away."""
        with azure_errors(f"deleting the certificate {name}"):
            self._client.dps_certificate.delete(certificate_name=name, **self._where, **_match(etag))


def _match(etag: str) -> dict[str, Any]:
    """If-Match, bare as in the published examples: nobody could confirm that the live service takes the SDK's quotes."""
    return {"etag": etag, "match_condition": MatchConditions.Unconditionally, "headers": {"If-Match": etag}}


def _hub_name(hub: Any) -> str:
    return str(hub.get("name") or "") if isinstance(hub, Mapping) else ""


def _is_this_machine(place: str) -> bool:
    """HOST:PORT, and nothing more that an address could hold."""
    host, _, port = place.rpartition(":")
    return is_loopback(host.removeprefix("[").removesuffix("]")) and port.isascii() and port.isdigit()


def _uploaded(entry: Any, doing: str) -> UploadedCertificate:
    """Read from the JSON itself: whatever the service writes, each part is of its kind or refused."""
    told = _table(entry, "properties", doing)
    shown = _certificate(told.get("certificate"))
    thumbprint = shown.fingerprint(hashes.SHA1()).hex() if shown else told.get("thumbprint")  # noqa: S303 - the service's own form
    texts = [text for text in (entry.get("name"), entry.get("etag"), thumbprint) if isinstance(text, str)]
    if len(texts) != 3 or not all(0 < len(text) <= LONGEST_ID for text in texts):
        raise odd_answer(doing)
    name, etag, sha1 = texts
    return UploadedCertificate(
        name=name,
        etag=etag,
        sha256=shown.fingerprint(hashes.SHA256()).hex() if shown else None,
        sha1=sha1.lower(),
        subject=str(told.get("subject") or ""),
        is_verified=told.get("isVerified") is True,
        not_after=http_date(told.get("expiry")),
        is_self_issued=shown is not None and shown.issuer == shown.subject,
        shown=shown,
    )


def _table(value: Any, key: str, doing: str) -> Mapping[str, Any]:
    """The JSON object under a key of a JSON object."""
    found = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(found, Mapping):
        raise odd_answer(doing)
    return found


def _certificate(text: Any) -> x509.Certificate | None:
    """What the service shows of a certificate: base64 of DER or PEM, or PEM; None when it shows nothing that can be read."""
    if not isinstance(text, str):
        return None
    try:
        octets = text.encode() if text.lstrip().startswith("-----BEGIN") else base64.b64decode(text, validate=True)
        is_pem = octets.lstrip().startswith(b"-----BEGIN")
        found = x509.load_pem_x509_certificate(octets) if is_pem else x509.load_der_x509_certificate(octets)
        _ = found.issuer, found.subject  # which cryptography reads only when asked
    except (binascii.Error, ValueError):
        return None
    return found
