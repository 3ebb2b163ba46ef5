"""Who may register, and who may connect: one place for MQTT and HTTPS. The rules are those of Microsoft's "X.509 attestation" page.

The registration id is the leaf's CN; the chain that the device sent leads to a verified CA certificate; going up from the leaf, the
first certificate with an enrollment group decides; a disabled group refuses, whatever stands above it. A hub takes the leaf that was
pinned when the device was registered, and asks no group: disabling one does not cut off the devices it let in.

Chains are DER, leaf first, as the device sent them: a certificate that it did not send is not looked for elsewhere.
Messages begin with the service's words where those are known, and go on with what the simulator found
(not with `state.explains_refusals` off).
"""

import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from ceremony.simulator.allocation import assign
from ceremony.simulator.errors import Refused
from ceremony.simulator.state import DpsState, EnrollmentGroup, Registration, UploadedCertificate, date_time
from ceremony.words import sha256_hex

NOT_OURS = 401002
"""The service's number for a chain that it does not take (azure-iot-sdk-c issues 273 and 437, azure-iot-sdk-java issue 573)."""
DISABLED = 401003
"""Our number for a disabled enrollment: nobody could look at the service's own."""
UNAUTHORIZED = "IotHubUnauthorizedAccess"
"""The service's words when it gives no reason at all (azure-iot-sdk-csharp issue 907)."""
RETRY_AFTER = 1
"""Seconds after which a device may ask how its registration stands."""
LONGEST_CHAIN = 10
"""Certificates that a device may send. The service tells no number of its own."""
_REGISTRATION_ID = re.compile(r"[A-Za-z0-9._:-]{0,127}[A-Za-z0-9-]")
_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)


@dataclass(frozen=True)
class Outcome:
    """A registration that was begun, and what it has led to: `registration`, or `failure` (DeviceRegistrationResult as JSON)."""

    operation_id: str
    registration: Registration | None
    failure: dict[str, Any] | None = None

    def begun(self) -> dict[str, Any]:
        """RegistrationOperationStatus of the answer 202, as JSON."""
        return {"operationId": self.operation_id, "status": "assigning"}

    def ended(self) -> dict[str, Any]:
        """RegistrationOperationStatus of the answer 200, as JSON."""
        state = self.failure if self.registration is None else registration_result(self.registration)
        return {"operationId": self.operation_id, "status": "assigned" if self.registration else "failed", "registrationState": state}


def register(state: DpsState, chain: Sequence[bytes], registration_id: str, now: datetime) -> Outcome:
    """Lets a device in and pins its leaf at the hub. With `state.refuses_at_once` off, a refusal becomes a failed operation.

    Raises Refused with the service's status, number and message.
    """
    operation_id = f"4.{secrets.token_hex(8)}.{uuid.uuid4()}"
    with state.lock:
        try:
            _check_registration_id(registration_id)
            path = verified_path(state, chain, registration_id, now)
            registration = assign(state, _group_that_decides(state, path), registration_id, sha256_hex(chain[0]), now)
        except Refused as refused:
            if state.refuses_at_once or refused.status != 401:
                raise
            failure = _failure(as_told(state, refused), registration_id, now)
            state.remember_operation(operation_id, registration_id, failure)
            return Outcome(operation_id, None, failure)
        state.remember_operation(operation_id, registration_id, None)
        return Outcome(operation_id, registration)


def operation(state: DpsState, chain: Sequence[bytes], registration_id: str, operation_id: str) -> Outcome:
    """How a registration stands. Raises Refused for an operation that was not begun under this id, or not with this leaf's name."""
    with state.lock:
        _check_leaf_name(chain, registration_id)
        key = registration_id.lower()
        if state.operations.get(operation_id) != key:
            raise Refused(404, 404201, "Operation not found.")
        failure = state.failed_operations.get(operation_id)
        if failure is not None:
            return Outcome(operation_id, None, failure)
        return Outcome(operation_id, _held(state, key))


def lookup(state: DpsState, chain: Sequence[bytes], registration_id: str, now: datetime) -> dict[str, Any]:
    """DeviceRegistrationResult of a device, for the device itself. Raises Refused when it may not register, or has not."""
    with state.lock:
        verified_path(state, chain, registration_id, now)
        return registration_result(_held(state, registration_id.lower()))


def refused_connection(state: DpsState, hub: str, device_id: str, chain: Sequence[bytes], now: datetime) -> str:
    """Why this hub does not take this connection, in words; "" when it does."""
    with state.lock:
        device = state.devices.get((hub, device_id.lower()))
        # A registration id is the same in any case; a device id of a hub is not.
        if device is None or device.device_id != device_id:
            return "the hub holds no such device: it was never registered, or was assigned to another hub"
        if not device.is_enabled:
            return "the device is disabled at the hub"
        if not chain or sha256_hex(chain[0]) != device.leaf_sha256:
            return "the certificate is not the one that the device was registered with: it must register again"
        try:
            _check_validity(_read([chain[0]]), now)
        except Refused as refused:
            return refused.message
        return ""


def as_told(state: DpsState, refused: Refused) -> Refused:
    """The refusal as a device hears it: with `state.explains_refusals` off, of a 401 only the service's own words."""
    if state.explains_refusals or refused.status != 401:
        return refused
    if refused.number == DISABLED:
        return Refused(401, NOT_OURS, UNAUTHORIZED)
    return Refused(401, refused.number, refused.message.partition(". ")[0].removesuffix(".") + ".")


def registration_result(registration: Registration) -> dict[str, Any]:
    """DeviceRegistrationResult of the device API, as JSON."""
    return {
        "x509": {"enrollmentGroupId": registration.group_id},
        "registrationId": registration.registration_id,
        "createdDateTimeUtc": date_time(registration.created),
        "assignedHub": registration.assigned_hub,
        "deviceId": registration.device_id,
        "status": "assigned",
        "substatus": registration.substatus,
        "lastUpdatedDateTimeUtc": date_time(registration.updated),
        "etag": f'"{registration.etag}"',
    }


def verified_path(state: DpsState, chain: Sequence[bytes], registration_id: str, now: datetime) -> list[x509.Certificate]:
    """The path from the device's leaf to a verified CA certificate, leaf first. Raises Refused 401.

    Signatures, names, CA bits, path lengths, key usages and times: RFC 5280 section 6, by cryptography's verifier.
    """
    sent = _check_leaf_name(chain, registration_id)
    _check_validity(sent, now)
    anchors = [uploaded for uploaded in state.certificates.values() if uploaded.is_verified]
    path = _path(sent, anchors, now)
    if path is None:
        raise Refused(401, NOT_OURS, f"CA certificate not found. {_why_no_path(state, sent, now)}")
    return path


def _path(sent: list[x509.Certificate], anchors: list[UploadedCertificate], now: datetime) -> list[x509.Certificate] | None:
    if not anchors:
        return None
    builder = PolicyBuilder().store(Store(_read([uploaded.certificate_der for uploaded in anchors]))).time(now.astimezone(UTC))
    # A device's name is its CN: there is no subjectAltName to ask for, which the verifier's own policy does.
    builder = builder.extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all())
    try:
        return builder.build_client_verifier().verify(sent[0], sent[1:]).chain
    except VerificationError:
        return None


def _why_no_path(state: DpsState, sent: list[x509.Certificate], now: datetime) -> str:
    if _path(sent, list(state.certificates.values()), now):
        return "The chain leads to a certificate that was uploaded, but is not verified."
    above = {certificate.subject for certificate in sent[1:]} | {
        certificate.subject for certificate in _read([uploaded.certificate_der for uploaded in state.certificates.values()])
    }
    if any(certificate.issuer not in above for certificate in sent):
        return "The issuer of a certificate was neither sent by the device nor uploaded: is an intermediate missing from the chain?"
    return "The chain is not valid up to an uploaded certificate."


def _check_registration_id(registration_id: str) -> None:
    if not _REGISTRATION_ID.fullmatch(registration_id):
        raise Refused(400, 400004, "The registration id has characters or a length that are not allowed.")


def _check_leaf_name(chain: Sequence[bytes], registration_id: str) -> list[x509.Certificate]:
    """The chain, read; its leaf has one CN, the registration id in any case."""
    if not 0 < len(chain) <= LONGEST_CHAIN:
        raise Refused(401, NOT_OURS, f"Invalid certificate. A device sends 1 to {LONGEST_CHAIN} certificates.")
    sent = _read(chain)
    names = [attribute.value for attribute in sent[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or str(names[0]).lower() != registration_id.lower():
        raise Refused(401, NOT_OURS, "Invalid certificate. The registration id is not the CN of the device's certificate.")
    return sent


def _read(chain: Sequence[bytes]) -> list[x509.Certificate]:
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain]
        for certificate in certificates:
            # cryptography reads names and extensions only when asked: what cannot be read must be refused here, once.
            _ = certificate.subject, certificate.issuer, certificate.extensions
    except _UNREADABLE as broken:
        raise Refused(401, NOT_OURS, "Invalid certificate. A certificate of the chain cannot be read.") from broken
    return certificates


def _check_validity(certificates: list[x509.Certificate], now: datetime) -> None:
    for number, certificate in enumerate(certificates, 1):
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not start <= now <= end:
            told = f"is valid {date_time(start)} to {date_time(end)}, now is {date_time(now)}"
            raise Refused(401, NOT_OURS, f"Invalid certificate. Number {number} of the chain {told}.")


def _group_that_decides(state: DpsState, path: list[x509.Certificate]) -> EnrollmentGroup:
    for certificate in path[1:]:
        der = certificate.public_bytes(Encoding.DER)
        for group in state.groups.values():
            referred = [state.certificates[name].certificate_der for name in group.ca_references if name in state.certificates]
            if der in (*group.signing_certificates, *referred):
                if not group.is_enabled:
                    raise Refused(401, DISABLED, "The enrollment group that decides on this device is disabled.")
                return group
    raise Refused(401, NOT_OURS, "CA certificate not found. No certificate of the chain has an enrollment group.")


def _held(state: DpsState, key: str) -> Registration:
    registration = state.registrations.get(key)
    if registration is None:
        raise Refused(404, 404201, "Registration not found.")
    return registration


def _failure(refused: Refused, registration_id: str, now: datetime) -> dict[str, Any]:
    """DeviceRegistrationResult of a registration that failed, as seen in azure-iot-sdk-c issue 273."""
    return {
        "registrationId": registration_id,
        "createdDateTimeUtc": date_time(now),
        "status": "failed",
        "errorCode": refused.number,
        "errorMessage": refused.message,
        "lastUpdatedDateTimeUtc": date_time(now),
    }
