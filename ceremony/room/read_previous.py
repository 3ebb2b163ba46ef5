"""read-previous: what a later ceremony takes over from the bundle of the last one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.crossing.artifacts import place_of, read_crl_file
from ceremony.crossing.ledger import (
    LedgerOfCeremony,
    certified_in,
    certified_keys,
    key_attributes_in,
    ledger_entries,
    read_ledger,
    revocations_in,
    serials_in,
)
from ceremony.crossing.lost import lost_before, numbers_left_out
from ceremony.crossing.physical import LostToken
from ceremony.crossing.revocations import IssuedCrl
from ceremony.crossing.roots import last_crl, last_crl_number, living_roots, of_other_roots, roots_in
from ceremony.crossing.tokens import first_tokens, lost_tokens, roots_to_go_on_with, roots_without_a_token, tokens_left
from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.pki.certificates import decoded, pem_of, serial_text
from ceremony.pki.crl import Crl
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class ReadPrevious(Verb):
    """Returns every serial and key of the ledger, the names of all roots, and what of the other living roots is carried on.

    With `label`, also that root's certificate, its last CRL (DER, hex), and what the ledger tells of it. With `intermediates`, also each
    intermediate that the bundle itself holds (DER, hex), by its serial.

    `lost` are the tokens that this very ceremony reported as lost.

    Raises CeremonyError CRL-BROKEN when a CRL in the bundle is not the last one of the ledger, or not that root's; PREVIOUS-OTHER-ROOT
    when the bundle holds no root with that label.
    """

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Reads the copy that was verified when the ceremony was opened."""
        bundle = room.folder.path / "work" / "previous"
        octets = (bundle / "record" / "ledger.json").read_bytes()
        ceremonies = read_ledger(octets).ceremonies
        label, lost_here = args.get("label"), [msgspec.convert(lost, LostToken) for lost in args.get("lost", ())]
        last: dict[str, str] = {}
        held: dict[str, str] = {}
        for entry in ledger_entries(octets):
            if entry.path and (bundle / entry.path).exists():
                der = _der((bundle / entry.path).read_bytes())
                last[entry.purpose] = der.hex()
                if entry.purpose == "intermediate":
                    held[serial_text(x509.load_der_x509_certificate(der).serial_number)] = der.hex()
        subjects = [entry.subject for entry in ledger_entries(octets) if entry.purpose == "root"]
        return {
            **(_root(bundle, ceremonies, label, lost_here) if label else {}),
            "root_labels": sorted(root.label for root in roots_in(ceremonies)),
            "root_subjects": sorted(set(subjects)),
            "carried_on": list(_carried_on(bundle, ceremonies, label)),
            "serials": sorted(serials_in(octets)),
            "certified_keys": sorted(certified_keys(octets)),
            "last_of_kind": last,
            "certified": msgspec.to_builtins(certified_in(ceremonies)),
            "numbers_left_out": numbers_left_out(ceremonies),
            "ledger_lost": lost_before(ceremonies),
            "last_crl_number": last_crl_number(ceremonies),
            "roots_lost": [root.certificate_sha256 for root in roots_without_a_token(ceremonies, lost_here)],
            **({"intermediates": held} if args.get("intermediates") else {}),
        }


def _root(bundle: Path, ceremonies: Sequence[LedgerOfCeremony], label: str, lost_here: Sequence[LostToken]) -> dict[str, Any]:
    """What belongs to the root with this label, which the ceremony takes up."""
    wanted = next((root for root in roots_in(ceremonies) if root.label == label), None)
    path = bundle / "root" / f"{label}.cert.pem"
    if wanted is None or not path.exists() or sha256_hex(certificate_der := _der(path.read_bytes())) != wanted.certificate_sha256:
        raise CeremonyError("PREVIOUS-OTHER-ROOT", f"The last bundle holds no root with the label {label}.")
    public_key = _public_key(certificate_der)
    digest = sha256_hex(public_key)
    issued = last_crl(ceremonies, label)
    return {
        "root_path": f"root/{path.name}",
        "root_pem": pem_of(certificate_der),
        "root_certificate": certificate_der.hex(),
        "root_certificate_sha256": sha256_hex(certificate_der),
        "root_public_key": public_key.hex(),
        "root_public_key_sha256": digest,
        "root_shown": list(decoded(certificate_der)),
        "root_attributes": key_attributes_in(ceremonies, digest),
        "first_tokens": first_tokens(ceremonies, digest),
        "tokens_left": tokens_left(ceremonies, digest),
        "tokens_lost": [lost.token for lost in lost_tokens(ceremonies)],
        "other_roots": roots_to_go_on_with(ceremonies, digest, lost_here),
        "of_other_roots": of_other_roots(ceremonies, digest),
        "last_crl": _crl_of(bundle, issued, ceremonies, public_key).der.hex() if issued else None,
        "crl_path": issued.path if issued else None,
    }


def _carried_on(bundle: Path, ceremonies: Sequence[LedgerOfCeremony], label: str | None) -> Iterator[dict[str, str]]:
    """The certificate and the last CRL of each other root that lives, and every cross-certificate between roots that are here."""
    others = [root for root in living_roots(ceremonies) if root.label != label]
    here = {label, *(root.label for root in others)}
    for root in others:
        path = f"root/{root.label}.cert.pem"
        pem = (bundle / path).read_text()
        yield {"path": path, "kind": "root-certificate", "pem": pem}
        if issued := last_crl(ceremonies, root.label):
            _crl_of(bundle, issued, ceremonies, _public_key(_der(pem.encode())))
            yield {"path": issued.path, "kind": "crl", "pem": (bundle / issued.path).read_text()}
    for entry in (entry for ceremony in ceremonies for entry in ceremony.entries if entry.purpose == "cross" and entry.path):
        place = place_of(entry.path or "")
        if place and here.issuperset(place[1].split("/")) and (bundle / str(entry.path)).exists():
            yield {"path": str(entry.path), "kind": "cross-certificate", "pem": (bundle / str(entry.path)).read_text()}


def _crl_of(bundle: Path, issued: IssuedCrl, ceremonies: Sequence[LedgerOfCeremony], public_key: bytes) -> Crl:
    try:
        octets = (bundle / issued.path).read_bytes()
    except OSError as failed:
        raise CeremonyError("CRL-BROKEN", f"{issued.path} of the last bundle can't be read: {failed.strerror}.") from failed
    crl = read_crl_file(octets)
    revoked = {revocation.as_entry() for revocation in revocations_in(ceremonies, issued.label)}
    if sha256_hex(octets) != issued.sha256 or set(crl.revoked) != revoked or not crl.is_signed_by(public_key):
        raise CeremonyError("CRL-BROKEN", f"{issued.path} of the last bundle is not the CRL that the ledger tells of.")
    return crl


def _public_key(certificate_der: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate_der).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificates(pem)[0].public_bytes(Encoding.DER)
