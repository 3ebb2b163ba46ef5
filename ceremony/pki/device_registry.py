"""What Azure Device Registry demands of a root that is brought along, and of its own issuing CA under it ("bring your own root").

A preview. Source: Microsoft's page "Create or edit a policy with an external root CA in Azure Device Registry", of 2026-04-14, its table
"Requirements for your external root CA" (MicrosoftDocs/azure-docs, articles/iot/how-to-create-policy-external-certificate.md). It does
not say of each row which certificate of the chain is meant: but for path length and subject, both must meet it here.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated

import msgspec
from cryptography import x509

from ceremony.pki.certificates import fields_of, reading
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import CertificateProfile, utc_text
from ceremony.pki.signatures import algorithm_of

LEAST_DAYS = 365
"""Days that must be left when a certificate is handed over."""

DEMANDS = (
    "keys of root and issuing CA on P-256, P-384 or P-521, as a named curve; RSA is rejected",
    "signatures by ECDSA with SHA-256, SHA-384 or SHA-512",
    "a root with path length 1",
    "a subject of the issuing CA's certificate that is the one in its CSR",
    "X.509 version 3, critical basicConstraints with CA true, keyUsage with digitalSignature, keyCertSign, cRLSign, a subjectKeyIdentifier",
    "no extendedKeyUsage, or one with clientAuth",
    f"valid already, and for {LEAST_DAYS} days more",
)
"""All of it, for a person to read."""

PolicyPlace = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]/[A-Za-z0-9][A-Za-z0-9-]{2,62}$(?!\n)")]
"""NAMESPACE/POLICY, as the API description (2026-03-01-preview) lets them be named."""

_KEYS = ("ec:secp256r1", "ec:secp384r1", "ec:secp521r1")
_SIGNATURES = ("ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512")
_USAGES = ("digitalSignature", "keyCertSign", "cRLSign")
_CONSTRAINTS = "basicConstraints (critical)"


def problems_with_planned_root(root: CertificateProfile, at: dt.datetime) -> list[str]:
    """Why Azure would not take a root of this profile, each in words that may be shown. `at` is when it is handed over (UTC)."""
    [key] = root.keys
    fields = _planned(root) | {"public key": key, "signature algorithm": algorithm_of(key)}
    return [*_of_root(fields), *_of_dates(root.not_before, root.not_after, at)]


def problems_with_planned_issuing_ca(issuing_ca: CertificateProfile, at: dt.datetime) -> list[str]:
    """The same of its issuing CA; every kind of key that the profile takes must be one that Azure takes. The signature is the root's."""
    problems = [f"its profile takes {key}; taken are {', '.join(_KEYS)}" for key in issuing_ca.keys if key not in _KEYS]
    return [*problems, *_of_any(_planned(issuing_ca)), *_of_dates(issuing_ca.not_before, issuing_ca.not_after, at)]


def problems_with_root(certificate_der: bytes, at: dt.datetime) -> list[str]:
    """The same of a root that is made (its certificate, DER). Raises CeremonyError CERTIFICATE-BROKEN."""
    return [*_of_root(fields_of(certificate_der)), *_of_dates(*_dates(certificate_der), at)]


def problems_with_issuing_ca(certificate_der: bytes, asked_for: x509.Name, at: dt.datetime) -> list[str]:
    """The same of an issuing CA's certificate (DER) and the subject that its CSR asks for. Raises CeremonyError CERTIFICATE-BROKEN."""
    problems = [*_of_any(fields_of(certificate_der)), *_of_dates(*_dates(certificate_der), at)]
    subject = x509.load_der_x509_certificate(certificate_der).subject
    if subject != asked_for:
        problems.append(f"its subject is {shown_text(name_text(subject))}, and the CSR asks for {shown_text(name_text(asked_for))}")
    return problems


def refusal(what: str, problems: list[str]) -> str:
    """One sentence that says why, and then everything that is demanded."""
    return f"Azure Device Registry does not take {what}: {'; '.join(problems)}. It demands: {'; '.join(DEMANDS)}."


def _planned(profile: CertificateProfile) -> dict[str, str]:
    """The fields of a certificate that is not made yet: what is the same in all of ours (assembly.py), and stand-ins for its key's."""
    stand_ins = {"public key": _KEYS[0], "signature algorithm": _SIGNATURES[0], "subjectKeyIdentifier": "of its key"}
    return profile.fields() | {"version": "v3"} | stand_ins


def _of_root(fields: Mapping[str, str]) -> list[str]:
    problems = _of_any(fields)
    if fields.get(_CONSTRAINTS, "").startswith("CA") and fields[_CONSTRAINTS] != "CA, path length 1":
        problems.append(f"it is a {fields[_CONSTRAINTS]}; the path length must be 1")
    return problems


def _of_any(fields: Mapping[str, str]) -> list[str]:
    problems = []
    if fields["public key"] not in _KEYS:
        problems.append(f"its key is {fields['public key']}; taken are {', '.join(_KEYS)}")
    if fields["signature algorithm"] not in _SIGNATURES:
        problems.append(f"it is signed by {fields['signature algorithm']}; taken are {', '.join(_SIGNATURES)}")
    if fields["version"] != "v3":
        problems.append(f"it is of version {fields['version']}")
    if not fields.get(_CONSTRAINTS, "").startswith("CA"):
        problems.append("it has no critical basicConstraints with CA true")
    usages = fields.get("keyUsage (critical)", fields.get("keyUsage", "")).split(", ")
    if missing := [usage for usage in _USAGES if usage not in usages]:
        problems.append(f"its keyUsage lacks {', '.join(missing)}")
    extended = fields.get("extendedKeyUsage (critical)", fields.get("extendedKeyUsage"))
    if extended is not None and "clientAuth" not in extended.split(", "):
        problems.append(f"its extendedKeyUsage ({extended}) lacks clientAuth")
    if "subjectKeyIdentifier" not in fields:
        problems.append("it has no subjectKeyIdentifier")
    return problems


def _of_dates(not_before: dt.datetime, not_after: dt.datetime, at: dt.datetime) -> list[str]:
    problems = []
    if not_before > at:
        problems.append(f"it is not valid before {utc_text(not_before)}, and then it is {utc_text(at)}")
    if not_after - at < dt.timedelta(days=LEAST_DAYS):
        left = max((not_after - at).days, 0)
        problems.append(f"it ends at {utc_text(not_after)}, {left} days after {utc_text(at)}; at least {LEAST_DAYS} must be left")
    return problems


def _dates(certificate_der: bytes) -> tuple[dt.datetime, dt.datetime]:
    with reading("CERTIFICATE-BROKEN", "The certificate"):
        certificate = x509.load_der_x509_certificate(certificate_der)
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
