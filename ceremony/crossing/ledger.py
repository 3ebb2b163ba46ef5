"""The ledger: what the root has ever signed, or may have. It travels with the record from ceremony to ceremony.

Its last element is a pure function of the transcript up to a seal (and, for a root made earlier, of the ledger before);
without that element it is the ledger of the previous ceremony, byte for byte.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, cast

import msgspec

from ceremony.canonical import NotCanonical, canonical_json, parse_json
from ceremony.crossing.artifacts import place_of, public_key_der, read_to_be_signed
from ceremony.crossing.backups import ProvedBackup, proved_in
from ceremony.crossing.destroyed import Destroyed, destructions_in
from ceremony.crossing.held_pins import BothPins
from ceremony.crossing.physical import LostToken
from ceremony.crossing.record import Record, Signature
from ceremony.crossing.revocations import IssuedCrl, Revocation, issued_in
from ceremony.errors import CeremonyError
from ceremony.pki.key_health import Value
from ceremony.pki.lost_ledger import LostLedger
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import utc_text
from ceremony.pki.revoking import Certified
from ceremony.transcript import Line
from ceremony.words import sha256_hex


# omit_defaults: a ledger from before there were these keys is written again as it was, byte for byte.
class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One serial ever intended (40 hex digits). Digests are SHA-256 in hex, times UTC; `path` is None for what has no file.

    `possibly-signed`: intended, and no signature is in the record; it belongs on the next CRL. `issuer` is the key of the root that
    signs, where it is not the ceremony's own root; left out where it is.
    """

    serial: str
    state: Literal["issued", "possibly-signed"]
    purpose: Literal["root", "intermediate", "proof", "cross"]
    subject: str
    public_key_sha256: str
    not_before: str
    not_after: str
    to_be_signed_sha256: str
    path: str | None
    issuer: str | None = None


class Root(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The root: its key's label on the token, SHA-256 (hex) of its key (DER SPKI) and of its certificate (DER)."""

    label: str
    public_key_sha256: str
    certificate_sha256: str


class InCustody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A thing put away, by its name in the script: its kind (`bag`, `seal`, `safe`, `medium`, `token`, `other`) and what stood on it."""

    name: str
    what: str
    value: str


class LedgerOfCeremony(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one ceremony adds. `seals` are this ceremony's seals (hex) before the one that the ledger leaves with.

    `custody` is the last value of each thing that was put away, sorted by name; `media` are the serials of those that took a bundle,
    sorted; `activation` is how both PINs were held at that seal, in ceremonies that made one anew; `crl` the CRL it made, `revocations`
    what that revokes for the first time; `key_attributes` those of the root key as its making, or else the first look at it, read
    them; `destroyed` are the root keys that it destroyed on a token, `backups` the copies of one that it proved; `lost` says that the
    ledger before it was made again. `token` is the serial of the token with the root's key, `lost_tokens` are those that were reported
    as lost. Each is left out where there is none.
    """

    ceremony: str
    rehearsal: bool
    script_sha256: str
    seals: tuple[str, ...]
    entries: tuple[Entry, ...]
    root: Root | None
    custody: tuple[InCustody, ...] = ()
    activation: BothPins | None = None
    media: tuple[str, ...] = ()
    crl: IssuedCrl | None = None
    revocations: tuple[Revocation, ...] = ()
    key_attributes: dict[str, Value] = {}
    destroyed: tuple[Destroyed, ...] = ()
    lost: LostLedger | None = None
    backups: tuple[ProvedBackup, ...] = ()
    token: str = ""
    lost_tokens: tuple[LostToken, ...] = ()


class Ledger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole ledger, the oldest ceremony first."""

    format: Literal[1]
    ceremonies: tuple[LedgerOfCeremony, ...]


def read_ledger(octets: bytes) -> Ledger:
    """The ledger of these bytes. Raises CeremonyError LEDGER-BROKEN."""
    try:
        if not octets.endswith(b"\n"):
            raise NotCanonical("the last line has no end")
        return msgspec.convert(parse_json(octets[:-1]), Ledger)
    except (NotCanonical, msgspec.ValidationError) as why:
        raise CeremonyError("LEDGER-BROKEN", f"The ledger: {shown_text(str(why))}.") from why


def write_ledger(ledger: Ledger) -> bytes:
    """The bytes of a ledger: canonical JSON and a newline."""
    return canonical_json(msgspec.to_builtins(ledger)) + b"\n"


def without_last(octets: bytes) -> bytes | None:
    """The ledger of the previous ceremony, from this one's; None when this one is the first. Raises CeremonyError LEDGER-BROKEN."""
    ledger = read_ledger(octets)
    if not ledger.ceremonies:
        raise CeremonyError("LEDGER-BROKEN", "The ledger holds no ceremony.")
    earlier = ledger.ceremonies[:-1]
    return write_ledger(Ledger(1, earlier)) if earlier else None


def ledger_of(lines: Sequence[Line], previous_ledger: bytes | None) -> bytes:
    """The ledger that leaves with the seal that is the last of `lines`.

    `previous_ledger` are the bytes of the previous ceremony's ledger; None when there was none. Raises CeremonyError
    RECORD-BROKEN, or LEDGER-BROKEN when the previous ledger is not the one that the first line names.
    """
    record = Record(lines)
    named = record.opened.previous
    if (named.ledger_sha256 if named else None) != (sha256_hex(previous_ledger) if previous_ledger is not None else None):
        raise CeremonyError("LEDGER-BROKEN", "The previous ceremony's ledger is not the one that the first line of the transcript names.")
    earlier = read_ledger(previous_ledger).ceremonies if previous_ledger is not None else ()
    crl, revoked = issued_in(record, revocations_in(earlier))
    root = _root(record, earlier)
    told = record.products(record.lines[-1].step)
    own = LedgerOfCeremony(
        ceremony=record.opened.ceremony,
        rehearsal=record.opened.rehearsal,
        script_sha256=record.opened.script.sha256,
        seals=tuple(line.sha256 for line, _ in record.seals[:-1]),
        entries=_entries(record, root),
        root=root,
        custody=_custody(record),
        activation=told.activation,
        media=tuple(sorted(media_taken(record))),
        crl=crl,
        revocations=revoked,
        key_attributes=_key_attributes(record, earlier),
        destroyed=tuple(destruction.key for destruction in destructions_in(record)),
        lost=named.lost if named else None,
        backups=proved_in(record),
        token=told.root_token,
        lost_tokens=told.lost_tokens,
    )
    return write_ledger(Ledger(1, (*earlier, own)))


def serials_in(ledger: bytes) -> set[str]:
    """Every serial ever intended, 40 hex digits each. Raises CeremonyError LEDGER-BROKEN."""
    return {entry.serial for entry in ledger_entries(ledger)}


def certified_keys(ledger: bytes) -> set[str]:
    """SHA-256 (hex, of DER SPKI) of every key that was certified or may have been. Raises CeremonyError LEDGER-BROKEN."""
    return {entry.public_key_sha256 for entry in ledger_entries(ledger)}


def ledger_entries(ledger: bytes) -> list[Entry]:
    """All entries, the oldest first. Raises CeremonyError LEDGER-BROKEN."""
    return [entry for ceremony in read_ledger(ledger).ceremonies for entry in ceremony.entries]


def custody_in(ledger: bytes) -> list[InCustody]:
    """The last value of each thing that was ever put away, by name. Raises CeremonyError LEDGER-BROKEN."""
    return last_custody(read_ledger(ledger).ceremonies)


def media_in(ledger: bytes) -> set[str]:
    """The serials of all media that ever took a bundle. Raises CeremonyError LEDGER-BROKEN."""
    return {serial for ceremony in read_ledger(ledger).ceremonies for serial in ceremony.media}


def media_taken(record: Record) -> set[str]:
    """The serials of the media that this ceremony took for a bundle, or, where one was faulty, copied it to."""
    return {medium.serial for verb in ("take-medium", "copy-out") for medium in record.media(verb) if medium.serial}


def last_custody(ceremonies: Iterable[LedgerOfCeremony]) -> list[InCustody]:
    """The last value of each thing that these ceremonies (the oldest first) put away, sorted by name."""
    last = {thing.name: thing for ceremony in ceremonies for thing in ceremony.custody}
    return [last[name] for name in sorted(last)]


def _custody(record: Record) -> tuple[InCustody, ...]:
    away = record.products(record.lines[-1].step).custody
    return tuple(InCustody(name, away[name].what, away[name].value) for name in sorted(away))


def revocations_in(ceremonies: Sequence[LedgerOfCeremony], label: str | None = None) -> list[Revocation]:
    """Everything that these ceremonies revoked, the oldest first; with `label` on CRLs of the root with this label alone."""
    some = [ceremony for ceremony in ceremonies if label is None or (ceremony.crl and ceremony.crl.label == label)]
    return [revocation for ceremony in some for revocation in ceremony.revocations]


def key_attributes_in(ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str) -> dict[str, Value]:
    """What these ceremonies (the oldest first) first read of the key with this digest (hex, of DER SPKI); empty where none tells."""
    return next(
        (
            dict(ceremony.key_attributes)
            for ceremony in ceremonies
            if ceremony.key_attributes and ceremony.root and ceremony.root.public_key_sha256 == public_key_sha256
        ),
        {},
    )


def _key_attributes(record: Record, earlier: Sequence[LedgerOfCeremony]) -> dict[str, Value]:
    for _, key in (*record.keys_read("generate-key"), *record.keys_read("look-at-key")):
        if not key_attributes_in(earlier, key.public_key_sha256):
            return {name: now.value for name, now in key.attributes.items()}
    return {}


def certified_in(ceremonies: Sequence[LedgerOfCeremony]) -> list[Certified]:
    """Every certificate of these ceremonies, signed or possibly signed, and whether it is revoked; the oldest first."""
    revoked = {revocation.serial: revocation.as_entry().text for revocation in revocations_in(ceremonies)}
    known = {ceremony.root.public_key_sha256: ceremony.root.certificate_sha256 for ceremony in ceremonies if ceremony.root}
    return [
        Certified(
            serial=entry.serial,
            purpose=entry.purpose,
            subject=entry.subject,
            name=place[1] if entry.path and (place := place_of(entry.path)) and place[0] == "intermediate-certificate" else None,
            possibly=entry.state == "possibly-signed",
            revoked=revoked.get(entry.serial),
            root=known.get(entry.issuer or "", ceremony.root.certificate_sha256 if ceremony.root else None),
            public_key_sha256=entry.public_key_sha256,
            not_before=entry.not_before,
            not_after=entry.not_after,
        )
        for ceremony in ceremonies
        for entry in ceremony.entries
    ]


def _entries(record: Record, root: Root | None) -> tuple[Entry, ...]:
    paths = {artifact.serial: artifact.path for artifact in record.artifacts if artifact.serial}
    stored = record.stored_bytes
    return tuple(_entry(signature, stored, paths, root) for signature in record.signatures if signature.arguments.purpose != "crl")


def _entry(signature: Signature, stored: Mapping[str, tuple[Line, bytes]], paths: Mapping[str, str], root: Root | None) -> Entry:
    asked = signature.arguments
    signer = key_sha256(signature)
    # The record lets no CRL be signed by a serial, and nothing else without one.
    serial, purpose = str(asked.serial), cast("Literal['root', 'intermediate', 'proof', 'cross']", asked.purpose)
    try:
        line, octets = stored[asked.sha256]
        fields = read_to_be_signed(octets)
    except (KeyError, ValueError) as broken:
        what = f"Line {signature.line.seq} of the transcript intends to sign bytes that no line stored."
        raise CeremonyError("RECORD-BROKEN", what) from broken
    if line.seq > signature.line.seq or f"{fields.serial_number:040x}" != serial:
        raise CeremonyError("RECORD-BROKEN", f"Line {signature.line.seq} of the transcript is not about the bytes of line {line.seq}.")
    return Entry(
        serial=serial,
        state="issued" if signature.is_made else "possibly-signed",
        purpose=purpose,
        subject=name_text(fields.subject),
        public_key_sha256=sha256_hex(public_key_der(fields)),
        not_before=utc_text(fields.not_valid_before_utc),
        not_after=utc_text(fields.not_valid_after_utc),
        to_be_signed_sha256=asked.sha256,
        path=paths.get(serial),
        issuer=signer if root and signer not in (None, root.public_key_sha256) else None,
    )


def key_sha256(signature: Signature) -> str | None:
    """SHA-256 (hex, of DER SPKI) of the key that was asked to sign; None where the record does not name it. Raises RECORD-BROKEN."""
    try:
        return sha256_hex(bytes.fromhex(signature.arguments.public_key)) if signature.arguments.public_key else None
    except ValueError as broken:
        what = f"Line {signature.line.seq} of the transcript names no key that could sign."
        raise CeremonyError("RECORD-BROKEN", what) from broken


def _root(record: Record, earlier: Sequence[LedgerOfCeremony]) -> Root | None:
    certificate = record.sealed.root_certificate_sha256
    if certificate is None:
        return None
    if made := next(iter(record.keys), None):
        return Root(made.label, made.public_key_sha256, certificate)
    known = (ceremony.root for ceremony in reversed(earlier) if ceremony.root)
    return next((root for root in known if root.certificate_sha256 == certificate), None)
