"""read-previous: what a later ceremony takes over from the bundle of the last one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.crossing.artifacts import read_crl_file
from ceremony.crossing.ledger import (
    LedgerOfCeremony,
    certified_in,
    certified_keys,
    key_attributes_in,
    last_crl,
    ledger_entries,
    of_other_roots,
    other_roots,
    read_ledger,
    revocations_in,
    serials_in,
)
from ceremony.crossing.lost import lost_before, numbers_left_out
from ceremony.crossing.revocations import IssuedCrl
from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.pki.certificates import decoded, pem_of, serial_text
from ceremony.pki.crl import Crl
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class ReadPrevious(Verb):
    """Returns the root certificate, every serial and key of the ledger, and the last certificate of each kind and CRL (DER, hex).

    With `intermediates`, also each intermediate that the bundle itself holds (DER, hex), by its serial.

    Raises CeremonyError CRL-BROKEN when the CRL in the bundle is not the last one of the ledger, or not this root's.
    """

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Reads the copy that was verified when the ceremony was opened."""
        bundle = room.folder.path / "work" / "previous"
        ledger = (bundle / "record" / "ledger.json").read_bytes()
        ceremonies = read_ledger(ledger).ceremonies
        wanted = next(ceremony.root for ceremony in reversed(ceremonies) if ceremony.root)
        path = next(
            path for path in sorted((bundle / "root").iterdir()) if sha256_hex(_der(path.read_bytes())) == wanted.certificate_sha256
        )
        certificate_der = _der(path.read_bytes())
        public_key = (
            x509.load_der_x509_certificate(certificate_der).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        issued = last_crl(ceremonies)
        last: dict[str, str] = {}
        held: dict[str, str] = {}
        for entry in ledger_entries(ledger):
            if entry.path and (bundle / entry.path).exists():
                der = _der((bundle / entry.path).read_bytes())
                last[entry.purpose] = der.hex()
                if entry.purpose == "intermediate":
                    held[serial_text(x509.load_der_x509_certificate(der).serial_number)] = der.hex()
        return {
            "root_path": f"root/{path.name}",
            "root_pem": pem_of(certificate_der),
            "root_certificate": certificate_der.hex(),
            "root_certificate_sha256": sha256_hex(certificate_der),
            "root_public_key": public_key.hex(),
            "root_public_key_sha256": sha256_hex(public_key),
            "root_shown": list(decoded(certificate_der)),
            "root_attributes": key_attributes_in(ceremonies, sha256_hex(public_key)),
            "other_roots": other_roots(ceremonies, sha256_hex(public_key)),
            "of_other_roots": of_other_roots(ceremonies, sha256_hex(public_key)),
            "serials": sorted(serials_in(ledger)),
            "certified_keys": sorted(certified_keys(ledger)),
            "last_of_kind": last,
            "last_crl": _crl_of(bundle, issued, ceremonies, public_key).der.hex() if issued else None,
            "crl_path": issued.path if issued else None,
            "certified": msgspec.to_builtins(certified_in(ceremonies)),
            "numbers_left_out": numbers_left_out(ceremonies),
            "ledger_lost": lost_before(ceremonies),
            **({"intermediates": held} if args.get("intermediates") else {}),
        }


def _crl_of(bundle: Path, issued: IssuedCrl, ceremonies: Sequence[LedgerOfCeremony], public_key: bytes) -> Crl:
    try:
        octets = (bundle / issued.path).read_bytes()
    except OSError as failed:
        raise CeremonyError("CRL-BROKEN", f"{issued.path} of the last bundle can't be read: {failed.strerror}.") from failed
    crl = read_crl_file(octets)
    revoked = {revocation.as_entry() for revocation in revocations_in(ceremonies)}
    if sha256_hex(octets) != issued.sha256 or set(crl.revoked) != revoked or not crl.is_signed_by(public_key):
        raise CeremonyError("CRL-BROKEN", f"{issued.path} of the last bundle is not the CRL that the ledger tells of.")
    return crl


def _der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificates(pem)[0].public_bytes(Encoding.DER)
