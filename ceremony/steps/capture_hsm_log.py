"""capture-hsm-log: the audit log that the HSM's own tool wrote comes in as a file; two people read its digest into the record."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World
from ceremony.pki.names import shown_text
from ceremony.steps.medium import inbound_medium
from ceremony.steps.physical import FactName
from ceremony.words import words_of


class CaptureHsmLog(Step, frozen=True, tag="capture-hsm-log"):
    """`name` is that of the log among this ceremony's, once. `public`: it leaves with each bundle; else it stays in the ceremony's folder.

    The program can't read what a vendor's tool wrote: the record says which file it was, not that it tells the truth.
    """

    name: FactName
    public: bool = False

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """People, and a name that no other log has."""
        if not world.roll_called:
            yield "no roll-call since the start of the session"
        names = [step.name for step in script.steps if isinstance(step, CaptureHsmLog)]
        if names.count(self.name) > 1:
            yield f"the log {self.name!r} stands twice"

    def leads_to(self, world: World, script: object) -> World:
        """Its digest is new in the record."""
        return msgspec.structs.replace(world, unsealed=True)

    def run(self, known: Known) -> Run:
        """The medium is looked at, the file copied in, and its digest read by two people."""
        actor, confirmer = self.actor, self.confirm[0]
        shown = ("Put in the medium with the log: one file, alone in a folder `hsm-log`.",)
        yield Ask(key="medium", text="Is the medium with the log in?", by=actor, shown=shown, accept="import")
        yield from inbound_medium(known, "inbound", (actor, confirmer))
        waiting = "Copying the log from the medium"
        log = yield Act(key="import", verb="import-evidence", args={"name": self.name}, waiting=waiting)
        digest = log["sha256"]
        seen = (
            *(("REHEARSAL: nobody brought a log; this one is made up.",) if log["made_up"] else ()),
            f"File: {shown_text(log['file'])}, {log['size']} bytes.",
            "Compare its digest with the one that was read where it was written.",
            "It leaves with the bundle, for everybody to read." if self.public else "It stays in this folder; what leaves is its digest.",
        )
        words = words_of(digest)
        for number, person in enumerate((actor, confirmer)):
            text = f"The {'first' if number == 0 else 'next'} four words of the log's digest."
            accept = " ".join(words[4 * number : 4 * number + 4])
            yield Ask(key=f"log/{person}", text=text, by=person, shown=seen, digest=digest, accept=accept)
        if self.public:
            args = {"path": f"attestation/{self.name}/{log['file']}", "kind": "vendor-evidence", "from": log["kept"], "sha256": digest}
            yield Act(key="write", verb="write-artifact", args=args)
        yield Show(lines=(f"The log {shown_text(log['file'])} is recorded.",))
        return {}
