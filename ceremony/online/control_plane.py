"""The control plane (Azure Resource Manager): the service as a resource, and its CA certificates, by the published SDK.

Every write carries the etag it was decided on, in the one form that `_match` makes; `logging_enable` is never given: it
prints the bearer token.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.core import AzureClouds, MatchConditions
from azure.core.credentials import TokenCredential
from azure.mgmt.iothubprovisioningservices import IotDpsClient
from azure.mgmt.iothubprovisioningservices import models as azure
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.errors import CeremonyError
from ceremony.online.answered import RETRIED_METHODS, Patience, Watch, transport_options
from ceremony.online.azure_errors import AzureFailure, azure_errors
from ceremony.online.config import OnlineConfig, is_loopback

MOST_CERTIFICATES = 25
"""The service's limit of CA certificates."""

_CLOUDS = {
    "public": AzureClouds.AZURE_PUBLIC_CLOUD,
    "us-government": AzureClouds.AZURE_US_GOVERNMENT,
    "china": AzureClouds.AZURE_CHINA_CLOUD,
}
_POST: dict[str, Any] = {"retry_on_methods": RETRIED_METHODS}


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
    """A CA certificate at the service. `sha256` (of its DER, hex) is None where the service shows only the SHA-1 thumbprint (hex)."""

    name: str
    etag: str
    sha256: str | None
    sha1: str
    subject: str
    is_verified: bool
    not_after: datetime | None

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
        options = patience.options() | transport_options(is_simulator=config.is_simulator, ca_file=config.ca_file)
        if config.is_simulator:
            options["base_url"] = config.endpoint
        self._client = IotDpsClient(
            credential, config.subscription, cloud_setting=_CLOUDS[config.cloud], raw_response_hook=self.watch.hook, **options
        )
        self._where: dict[str, Any] = {"resource_group_name": config.resource_group, "provisioning_service_name": config.service}

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def service(self) -> ServiceFacts:
        """The service itself. For the simulator also raises CeremonyError ONLINE-NOT-LOOPBACK when it points elsewhere."""
        with azure_errors("reading the service"):
            found = self._client.iot_dps_resource.get(**self._where)
        told = found.properties
        if not told.service_operations_host_name:
            raise AzureFailure("AZURE-REFUSED", "The service names no host for enrollment groups; it may still be in the making.")
        facts = ServiceFacts(
            id_scope=told.id_scope or "",
            service_host=told.service_operations_host_name,
            device_host=told.device_provisioning_host_name or "",
            hubs=tuple(sorted(hub.name or "" for hub in told.iot_hubs or ())),
            local_auth_disabled=bool(told.disable_local_auth),
        )
        if self._config.is_simulator and not is_loopback(facts.service_host.rpartition(":")[0].strip("[]")):
            what = f"The simulator names {facts.service_host} as the host for enrollment groups, which is not this machine."
            raise CeremonyError("ONLINE-NOT-LOOPBACK", what, state="Nothing was sent there.")
        return facts

    def certificates(self) -> list[UploadedCertificate]:
        """All certificates, by name."""
        with azure_errors("reading the certificates"):
            found = self._client.dps_certificate.list(**self._where)
        return sorted((_uploaded(entry) for entry in found.value or ()), key=lambda entry: entry.name)

    def certificate(self, name: str) -> UploadedCertificate | None:
        """The certificate of this name; None when there is none."""
        try:
            with azure_errors(f"reading the certificate {name}"):
                return _uploaded(self._client.dps_certificate.get(certificate_name=name, **self._where))
        except AzureFailure as failed:
            if failed.status == 404:
                return None
            raise

    def upload(self, name: str, certificate_pem: bytes, *, etag: str | None = None, self_attested: bool = False) -> UploadedCertificate:
        """Puts a certificate (PEM) in the place of `etag`, or (None) where nothing is.

        `self_attested` takes the operator's word in place of a proof of possession: only where a person asked for it by name.
        """
        # bytes: the SDK encodes them as base64, and sends a str as it is.
        properties = azure.CertificateProperties(certificate=certificate_pem, **({"is_verified": True} if self_attested else {}))
        with azure_errors(f"uploading the certificate {name}"):
            return _uploaded(
                self._client.dps_certificate.create_or_update(
                    certificate_name=name,
                    certificate_description=azure.CertificateResponse(properties=properties),
                    **self._where,
                    **(_match(etag) if etag is not None else {}),
                )
            )

    def new_code(self, name: str, etag: str) -> str:
        """Asks for a verification code; one given before is void. The certificate's etag moves on: read it again."""
        with azure_errors(f"asking for a verification code for {name}"):
            answer = self._client.dps_certificate.generate_verification_code(
                certificate_name=name, **self._where, **_match(etag), **_POST
            )
        code = answer.properties.verification_code if answer.properties else None
        if not code:
            raise AzureFailure("AZURE-REFUSED", f"The service gave no verification code for {name}.")
        return code

    def verify(self, name: str, proof_pem: bytes, etag: str) -> None:
        """Sends the proof of possession (a certificate in PEM). The call takes base64 of it as a text."""
        with azure_errors(f"proving possession of {name}"):
            self._client.dps_certificate.verify_certificate(
                certificate_name=name,
                request=azure.VerificationCodeRequest(certificate=base64.b64encode(proof_pem).decode()),
                **self._where,
                **_match(etag),
                **_POST,
            )

    def delete(self, name: str, etag: str) -> None:
        """Takes the certificate away."""
        with azure_errors(f"deleting the certificate {name}"):
            self._client.dps_certificate.delete(certificate_name=name, **self._where, **_match(etag))


def _match(etag: str) -> dict[str, Any]:
    """If-Match, bare as in the published examples: nobody could confirm that the live service takes the SDK's quotes."""
    return {"etag": etag, "match_condition": MatchConditions.Unconditionally, "headers": {"If-Match": etag}}


def _uploaded(entry: azure.CertificateResponse) -> UploadedCertificate:
    told = entry.properties or azure.CertificateProperties()
    certificate_der = _der(told.get("certificate"))
    return UploadedCertificate(
        name=entry.name or "",
        etag=entry.etag or "",
        sha256=x509.load_der_x509_certificate(certificate_der).fingerprint(hashes.SHA256()).hex() if certificate_der else None,
        sha1=(told.thumbprint or "").lower(),
        subject=told.subject or "",
        is_verified=bool(told.is_verified),
        not_after=told.expiry,
    )


def _der(text: Any) -> bytes | None:
    """DER of what the service shows of a certificate: base64 of DER or PEM, or PEM; None when it shows nothing that can be read."""
    if not isinstance(text, str):
        return None
    try:
        octets = text.encode() if text.lstrip().startswith("-----BEGIN") else base64.b64decode(text, validate=True)
        is_pem = octets.lstrip().startswith(b"-----BEGIN")
        found = x509.load_pem_x509_certificate(octets) if is_pem else x509.load_der_x509_certificate(octets)
    except (binascii.Error, ValueError):
        return None
    return found.public_bytes(Encoding.DER)
