"""Enrollment groups: what an operator may write, and what the service makes of it. Callers hold the state's lock."""

import copy
import re
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.simulator.certificates import is_ca, read_certificate
from ceremony.simulator.errors import Refused
from ceremony.simulator.shapes import BOOLEAN, OBJECT, STRING, TEXTS, Shape, one_of, problems
from ceremony.simulator.state import MOST_GROUPS, DpsState, EnrollmentGroup, date_time

_ID = re.compile(r"[A-Za-z0-9._:-]{1,127}[A-Za-z0-9-]|[A-Za-z0-9-]")
_CERTIFICATE = Shape(members={"certificate": STRING, "info": OBJECT})
_CERTIFICATES = Shape(members={"primary": _CERTIFICATE, "secondary": _CERTIFICATE})
_REFERENCES = Shape(members={"primary": STRING, "secondary": STRING})
_X509 = Shape(members={"signingCertificates": _CERTIFICATES, "caReferences": _REFERENCES, "clientCertificates": OBJECT})
_ATTESTATION = Shape(members={"type": one_of("none", "tpm", "x509", "symmetricKey"), "x509": _X509}, required=("type",))
_POLICY = Shape(
    members={"updateHubAssignment": BOOLEAN, "migrateDeviceData": BOOLEAN}, required=("updateHubAssignment", "migrateDeviceData")
)
_TWIN = Shape(members={"tags": OBJECT, "properties": Shape(members={"desired": OBJECT})})
GROUP = Shape(
    members={
        "enrollmentGroupId": STRING,
        "attestation": _ATTESTATION,
        "capabilities": Shape(members={"iotEdge": BOOLEAN}, required=("iotEdge",)),
        "iotHubHostName": STRING,
        "initialTwin": _TWIN,
        "provisioningStatus": one_of("enabled", "disabled"),
        "reprovisionPolicy": _POLICY,
        "allocationPolicy": one_of("hashed", "geoLatency", "static", "custom"),
        "iotHubs": TEXTS,
        "customAllocationDefinition": OBJECT,
    },
    required=("enrollmentGroupId", "attestation"),
)
_DEFAULTS: dict[str, Any] = {
    "provisioningStatus": "enabled",
    "reprovisionPolicy": {"updateHubAssignment": True, "migrateDeviceData": True},
    "capabilities": {"iotEdge": False},
    "allocationPolicy": "hashed",
}


def existing(state: DpsState, group_id: str) -> EnrollmentGroup:
    """The group of this id. Raises Refused 404."""
    if group_id not in state.groups:
        raise Refused(404, 404201, f"Enrollment group {group_id} was not found.")
    return state.groups[group_id]


def put(state: DpsState, group_id: str, body: dict[str, Any], if_match: str | None) -> EnrollmentGroup:
    """Creates a group, or puts the whole of another in its place. Raises Refused.

    One that is there is replaced only with its etag (verbatim, quotes and all) or `*`; nobody could confirm what the live service
    does without: here it is 409.
    """
    wrong = problems(body, GROUP)
    if wrong:
        raise Refused(400, 400004, f"Invalid request: {'; '.join(wrong)}.")
    if body["enrollmentGroupId"] != group_id or not _ID.fullmatch(group_id):
        raise Refused(400, 400004, "Invalid request: the enrollment group id is not that of the path, or not a valid one.")
    there = state.groups.get(group_id)
    _match(there, if_match)
    signing, references = _attestation(state, body["attestation"], there)
    others = [group for group in state.groups.values() if group is not there]
    if any(not set(signing).isdisjoint(group.signing_certificates) for group in others):
        raise Refused(409, 409201, "A certificate of the group is in another enrollment group already.")
    if any(not set(references).isdisjoint(group.ca_references) for group in others):
        raise Refused(409, 409201, "A CA of the group is in another enrollment group already.")
    if there is None and len(state.groups) >= MOST_GROUPS:
        raise Refused(400, 400201, f"The service holds {MOST_GROUPS} X.509 enrollment groups, and can't take more.")
    unlinked = sorted(set(body.get("iotHubs", [])) - set(state.hubs))
    if unlinked:
        raise Refused(400, 400004, f"Invalid request: no linked IoT hub is called {unlinked[0]}.")
    record = copy.deepcopy(_DEFAULTS | {key: value for key, value in body.items() if key in GROUP.members})
    now = state.now()
    group = EnrollmentGroup(group_id, record, there.created if there else now, now, signing, references)
    state.groups[group_id] = group
    return group


def delete(state: DpsState, group_id: str, if_match: str | None) -> None:
    """Takes a group away; registrations and hub identities stay. Raises Refused."""
    _match(existing(state, group_id), if_match or "*")
    del state.groups[group_id]


def shown(state: DpsState, group: EnrollmentGroup) -> dict[str, Any]:
    """EnrollmentGroup, with what the service adds: times, etag (with quotes inside), and `info` of each certificate."""
    record = copy.deepcopy(group.record)
    record["attestation"] = attestation(state, group)
    record |= {"createdDateTimeUtc": date_time(group.created), "lastUpdatedDateTimeUtc": date_time(group.updated)}
    return record | {"etag": quoted(group.etag)}


def attestation(state: DpsState, group: EnrollmentGroup) -> dict[str, Any]:
    """AttestationMechanism."""
    found: dict[str, Any] = copy.deepcopy(group.record["attestation"])
    held = found["x509"].get("signingCertificates", {})
    for place, certificate_der in zip(sorted(held), group.signing_certificates, strict=True):
        certificate = x509.load_der_x509_certificate(certificate_der)
        held[place] = {"info": certificate_info(certificate)}
        if state.shows_certificates:
            held[place]["certificate"] = certificate.public_bytes(Encoding.PEM).decode()
    return found


def certificate_info(certificate: x509.Certificate) -> dict[str, Any]:
    """X509CertificateInfo."""
    return {
        "subjectName": certificate.subject.rfc4514_string(),
        "sha1Thumbprint": certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - the service's form, and no security of ours
        "sha256Thumbprint": certificate.fingerprint(hashes.SHA256()).hex().upper(),
        "issuerName": certificate.issuer.rfc4514_string(),
        "notBeforeUtc": date_time(certificate.not_valid_before_utc),
        "notAfterUtc": date_time(certificate.not_valid_after_utc),
        "serialNumber": f"{certificate.serial_number:X}",
        "version": certificate.version.value + 1,
    }


def quoted(etag: str) -> str:
    """An etag as the service API writes and reads it."""
    return f'"{etag}"'


def _attestation(state: DpsState, asked: dict[str, Any], there: EnrollmentGroup | None) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Certificates (primary first) and CA references. Raises Refused."""
    found = asked.get("x509") or {}
    signing: dict[str, Any] = found.get("signingCertificates") or {}
    references: dict[str, str] = found.get("caReferences") or {}
    if asked["type"] != "x509" or "clientCertificates" in found or bool(signing) == bool(references):
        raise Refused(400, 400004, "TPM or X509 attestation is required: of a group, either signing certificates or CA references.")
    if "primary" not in (signing or references):
        raise Refused(400, 400004, "A primary certificate is required.")
    if signing:
        certificates = tuple(_signing_certificate(signing[place], there) for place in sorted(signing))
        if len(set(certificates)) < len(certificates):
            raise Refused(400, 400004, "Primary and secondary are the same certificate.")
        return certificates, ()
    names = tuple(references[place] for place in sorted(references))
    for name in names:
        if name not in state.certificates or not state.certificates[name].is_verified:
            raise Refused(400, 400004, f"CA certificate {name} is not there, or is not verified.")
    return (), names


def _signing_certificate(asked: dict[str, Any], there: EnrollmentGroup | None) -> bytes:
    """The certificate that is sent; or, of a group that is there, the one whose `info` is sent back unchanged."""
    if asked.get("certificate"):
        certificate = read_certificate(asked["certificate"])
        if not is_ca(certificate):
            raise Refused(400, 400004, "A signing certificate is not that of a CA.")
        return certificate.public_bytes(Encoding.DER)
    for certificate_der in there.signing_certificates if there is not None else ():
        if certificate_info(x509.load_der_x509_certificate(certificate_der)) == asked.get("info"):
            return certificate_der
    raise Refused(400, 400004, "TPM or X509 attestation is required.")


def _match(there: EnrollmentGroup | None, if_match: str | None) -> None:
    if there is None:
        if if_match:
            raise Refused(412, 412002, "Precondition failed: there is no such enrollment group.")
    elif not if_match:
        raise Refused(409, 409201, "The enrollment group is there already; If-Match is required to update it.")
    elif if_match not in (quoted(there.etag), "*"):
        raise Refused(412, 412002, "Precondition failed: ETag mismatch.")
