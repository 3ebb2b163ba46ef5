"""Later ceremonies of a held root that certify one intermediate: on a new key, or on one that has a certificate."""

from pathlib import Path

from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import certified_in, read_ledger
from tests.crossing.held_ceremony import HeldCeremony, going_on
from tests.crossing.script_text import LATER_CEREMONY, script_of


def next_ceremony(folder: Path, previous: HeldCeremony, name: str, csr: bytes, *, reissue: str | None = None) -> HeldCeremony:
    """A later ceremony that certifies this CSR; `reissue` is what its script says."""
    script = script_of(LATER_CEREMONY, (name,), proof=False, previous=previous.fingerprint)
    if reissue:
        entry = f'name = "{name}"\nprofile'.encode()
        script = script.replace(entry, entry.replace(b"profile", f'reissue = "{reissue}"\nprofile'.encode()), 1)
    ceremony = HeldCeremony(folder, script, **going_on(previous))
    ceremony.prepare()
    ceremony.use_root()
    ceremony.import_request({name: csr}, proof=False)
    ceremony.sign_intermediates()
    ceremony.seal("close")
    return ceremony


def csr_of(ceremony: HeldCeremony, name: str) -> bytes:
    """The CSR that came in under this name."""
    return str(ceremony.products["csrs"][name]["pem"]).encode()


def serial_of(ceremony: HeldCeremony, what: str) -> str:
    """The serial of the newest certificate with this name of an intermediate, or this purpose."""
    certified = certified_in(read_ledger(ceremony.bundle_files()[LEDGER]).ceremonies)
    return [found.serial for found in certified if what in (found.name, found.purpose)][-1]
