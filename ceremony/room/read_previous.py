"""read-previous: what a later ceremony takes over from the bundle of the last one."""

from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.crossing.ledger import certified_keys, ledger_entries, read_ledger, serials_in
from ceremony.engine.step import AskSecret
from ceremony.pki.certificates import decoded, pem_of
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class ReadPrevious(Verb):
    """Returns the root certificate, every serial and key of the ledger, and the last certificate of each kind (DER, hex)."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Reads the copy that was verified when the ceremony was opened."""
        bundle = room.folder.path / "work" / "previous"
        ledger = (bundle / "record" / "ledger.json").read_bytes()
        wanted = next(ceremony.root for ceremony in reversed(read_ledger(ledger).ceremonies) if ceremony.root)
        path = next(
            path for path in sorted((bundle / "root").iterdir()) if sha256_hex(_der(path.read_bytes())) == wanted.certificate_sha256
        )
        certificate_der = _der(path.read_bytes())
        public_key = (
            x509.load_der_x509_certificate(certificate_der).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        last: dict[str, str] = {}
        for entry in ledger_entries(ledger):
            if entry.path and (bundle / entry.path).exists():
                last[entry.purpose] = _der((bundle / entry.path).read_bytes()).hex()
        return {
            "root_path": f"root/{path.name}",
            "root_pem": pem_of(certificate_der),
            "root_certificate": certificate_der.hex(),
            "root_certificate_sha256": sha256_hex(certificate_der),
            "root_public_key": public_key.hex(),
            "root_public_key_sha256": sha256_hex(public_key),
            "root_shown": list(decoded(certificate_der)),
            "serials": sorted(serials_in(ledger)),
            "certified_keys": sorted(certified_keys(ledger)),
            "last_of_kind": last,
        }


def _der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificates(pem)[0].public_bytes(Encoding.DER)
