"""Reasons for which a device is not let in, as far as its own files show them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from ceremony.device.identity import Identity, certificate_name
from ceremony.pki.names import name_text, shown_text

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

CLOCKS_DIFFER = timedelta(minutes=5)
"""From here on a difference between this machine's clock and the service's is told."""


class Cause(NamedTuple):
    """One reason: its code in ceremony/errors.py, and what was found, which may be shown."""

    code: str
    what: str


class Clocks(NamedTuple):
    """This machine's time, and the service's where it told it: that is the one that counts."""

    here: datetime
    service: datetime | None = None

    @property
    def best(self) -> datetime:
        """The service's time where it is known."""
        return self.service or self.here

    @property
    def shown(self) -> str:
        """Both, as they may be shown."""
        if self.service is None:
            return f"it is {_time(self.here)} by this machine's clock"
        told = f"it is {_time(self.service)} by the service's clock"
        return told if abs(self.service - self.here) < CLOCKS_DIFFER else f"{told}, and {_time(self.here)} by this machine's"


def causes_in_files(identity: Identity, registration_id: str, clocks: Clocks) -> list[Cause]:
    """What is wrong with what the device sends; nothing when all of it is as the service wants it.

    Rules: Microsoft's page "X.509 certificate attestation" (the CN is the registration id; the device sends the chain up to a
    certificate that the service knows), RFC 5280 sections 4.1.2.5, 4.2.1.3, 4.2.1.9 and 4.2.1.12.
    """
    found = [*_dates(identity.certificates, clocks), *_name(identity, registration_id), *_usage(identity.leaf)]
    return [*found, *_chain(identity), *_issuers(identity.certificates[1:])]


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether names and signature say so."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _dates(certificates: Sequence[x509.Certificate], clocks: Clocks) -> Iterator[Cause]:
    for number, certificate in enumerate(certificates, 1):
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if begins <= clocks.best <= ends:
            continue
        which = "The device's certificate" if number == 1 else f"Certificate {number} in the file ({certificate_name(certificate)})"
        when = f"ended on {_time(ends)}" if clocks.best > ends else f"is valid from {_time(begins)} on"
        yield Cause("DEVICE-LEAF-DATES" if number == 1 else "DEVICE-CHAIN-DATES", f"{which} {when}; {clocks.shown}.")


def _name(identity: Identity, registration_id: str) -> Iterator[Cause]:
    names = identity.common_names
    if [name.lower() for name in names] != [registration_id.lower()]:
        has = " and ".join(f"'{shown_text(name)}'" for name in names) or "no CN"
        yield Cause("DEVICE-NAME-DIFFERS", f"The device's certificate has the CN {has}, and asked was for '{shown_text(registration_id)}'.")


def _usage(leaf: x509.Certificate) -> Iterator[Cause]:
    extended = _extension(leaf, x509.ExtendedKeyUsage)
    if extended is not None and not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(extended):
        yield Cause("DEVICE-LEAF-USAGE", "The device's certificate names extended key usages, and clientAuth is not among them.")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        yield Cause("DEVICE-LEAF-USAGE", "The device's certificate names key usages, and digitalSignature is not among them.")


def _chain(identity: Identity) -> Iterator[Cause]:
    sent = identity.certificates
    if len(sent) == 1:
        if not is_issued_by(sent[0], sent[0]):
            issuer = shown_text(name_text(sent[0].issuer))
            yield Cause("DEVICE-CHAIN-MISSING", f"{shown_text(str(identity.chain_file))} holds only the leaf: '{issuer}' was not sent.")
        return
    for number, (certificate, above) in enumerate(zip(sent, sent[1:], strict=False), 1):
        if is_issued_by(certificate, above):
            continue
        place = next((place for place, other in enumerate(sent, 1) if other is not certificate and is_issued_by(certificate, other)), 0)
        issuer = shown_text(name_text(certificate.issuer))
        where = f"its issuer is number {place}" if place else f"its issuer, '{issuer}', is not in the file"
        yield Cause("DEVICE-CHAIN-BROKEN", f"Certificate {number} in the file was not issued by number {number + 1}: {where}.")


def _issuers(certificates: Sequence[x509.Certificate]) -> Iterator[Cause]:
    for certificate in certificates:
        basic, usage = _extension(certificate, x509.BasicConstraints), _extension(certificate, x509.KeyUsage)
        if basic is None or not basic.ca or (usage is not None and not usage.key_cert_sign):
            what = f"'{certificate_name(certificate)}' stands in the chain as an issuer, and its certificate is not that of a CA."
            yield Cause("DEVICE-ISSUER-NOT-CA", what)


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
