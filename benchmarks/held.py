"""A ceremony with as many intermediates as one wants, as its record and bundle tell of it, held with keys in memory."""

import datetime as dt
from pathlib import Path
from typing import Any, Final

from ceremony.crossing.bundle import TRANSCRIPT
from ceremony.crossing.request import read_request, write_request
from ceremony.pki.csr import read_csr
from ceremony.pki.draft import Draft
from ceremony.pki.profiles import intermediate_profile
from ceremony.transcript import last_line_sha256
from ceremony.words import words_of
from tests.crossing.chaining import DAY
from tests.crossing.held_ceremony import HeldCeremony, new_csr
from tests.crossing.script_text import script_of

_KINDS: Final = (
    *("roll-call", "check-clock", "check-machine", "generate-root", "certify-root"),
    *("import-request", "sign-intermediates", "close"),
)
_BATCH: Final = 25
_IN_A_REQUEST: Final = 200


class ManyIntermediates(HeldCeremony):
    """Signs its intermediates in batches of 25, each with an order by two, as the engine does; the CSRs come in several requests."""

    def import_requests(self, names: tuple[str, ...]) -> None:
        """Brings the CSRs in, and has each key vouched for by two."""
        self.begin("import-request")
        found: dict[str, dict[str, Any]] = {}
        (self.folder / "requests").mkdir(parents=True)
        for number, start in enumerate(range(0, len(names), _IN_A_REQUEST), 1):
            folder = self.folder / "requests" / str(number)
            csrs = {name: new_csr(f"CN={name},O=Example") for name in names[start : start + _IN_A_REQUEST]}
            write_request(folder, made_at=f"{DAY}T08:00:00Z", root_fingerprint=None, proofs=[], csrs=csrs)
            request = read_request(folder).as_value(f"requests/{number}")
            self.look_at_medium(f"inbound/{number}", "inbox", f"INBOUND-{number}")
            self.act(f"import/{number}", "import-request", {}, {"requests": [request], "made_up": []})
            for csr in request["csrs"]:
                words = words_of(csr["spki_sha256"])
                self.answered(f"vouch/{number}/{csr['name']}/admin", " ".join(words[:8]), "admin")
                self.answered(f"vouch/{number}/{csr['name']}/witness-1", " ".join(words[8:16]), "witness-1")
                found[csr["name"]] = csr
        self.finish(csrs=found, codes={})

    def sign_intermediates(self) -> None:
        """Signs what came in."""
        self.begin("sign-intermediates")
        profile = self.tables.profiles["factory"]
        entries = sorted(entry.name for entry in self.tables.intermediates)
        for number, start in enumerate(range(0, len(entries), _BATCH), 1):
            batch: list[tuple[str, Draft]] = []
            for name in entries[start : start + _BATCH]:
                csr = read_csr(self.products["csrs"][name]["pem"].encode())
                fields = intermediate_profile(profile, csr.subject, self.root_der, dt.date.fromisoformat(DAY))
                batch.append((name, self.draft(name, fields, csr.public_key_der)))
            for name, der in self.signed(f"batch/{number}", "intermediate", batch).items():
                self.write(f"intermediates/{name}.cert.pem", der)
                self.write(f"intermediates/{name}.chain.pem", der, self.root_der)
        self.finish()


def bundle_of(folder: Path, certificates: int) -> tuple[Path, str]:
    """The bundle of a ceremony with so many intermediates, in a new folder below this one, and its fingerprint (hex)."""
    names = tuple(f"alpha.{number:05}" for number in range(1, certificates + 1))
    held = ManyIntermediates(folder / f"held-{certificates}", script_of(_KINDS, names, proof=False))
    held.prepare()
    held.make_root()
    held.import_requests(names)
    held.sign_intermediates()
    held.seal("close")
    bundle = held.write_bundle(folder / f"bundle-{certificates}")
    return bundle, last_line_sha256(bundle / TRANSCRIPT)
