"""The ledger of the last ceremony is lost: what the script says of it, what the ledgers after it keep, and what nobody knows then."""

from typing import Annotated, Literal

import msgspec

from ceremony.pki.names import shown_text

JUMP = 1000
"""So many numbers of CRLs are left out at least: more than a root that signs one a year can have used in what is lost."""
UNKNOWN = "unknown"
"""Stands for the last line of a record whose paper is lost too."""
LEDGER_LOST = "The ledger of the last ceremony is lost"
"""How the deviation begins that a ceremony without it needs."""

HexDigest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
LastLine = Annotated[str, msgspec.Meta(pattern=rf"^([0-9a-f]{{64}}|{UNKNOWN})$(?!\n)")]


class PreviousTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[previous]`: the fingerprint of the ceremony before, so that an approved script is used once.

    `ledger = "lost"`: the last bundle, or its ledger, is not to be had any more, and `fingerprint` is that of the newest that is left.
    Then `last` is the fingerprint of the last line as it stands on paper (`fingerprint` again where only the ledger of that
    bundle is damaged, "unknown" where no paper is left), `reason` how it came to be lost, and `jump` how many numbers of CRLs are
    left out.
    """

    fingerprint: HexDigest
    ledger: Literal["whole", "lost"] = "whole"
    last: LastLine | None = None
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    jump: Annotated[int, msgspec.Meta(ge=JUMP, le=1_000_000)] = JUMP

    @property
    def lost(self) -> "LostLedger | None":
        """What a ledger keeps of it; None where nothing is lost."""
        if self.ledger == "whole":
            return None
        return LostLedger(after=self.fingerprint, last=self.last or UNKNOWN, reason=self.reason, jump=self.jump)


class LostLedger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ceremony went on from the bundle with the fingerprint `after`, the newest that was left, with a ledger made again.

    `last` is the fingerprint of the last line on paper, or "unknown"; `jump` is by how much more than one the next CRL's number goes up.
    """

    after: str
    last: str
    reason: str
    jump: int

    @property
    def is_hole(self) -> bool:
        """Whether something may have been done that no bundle tells of."""
        return self.last != self.after

    def lines(self) -> tuple[str, ...]:
        """What was lost and what is not known now, for those who go on; may be shown."""
        told = (
            f"{LEDGER_LOST}: {shown_text(self.reason).rstrip('.')}.",
            f"It was made again from the transcripts of the bundles that are left, up to {self.after}.",
        )
        if not self.is_hole:
            return (*told, "That is the last line on paper too: what is made again is all that there was.")
        return (
            *told,
            f"What was done after it, up to {self._end}, is not known:",
            "  which certificates were signed, on which keys: look for those that are in use;",
            "  who was revoked: each entry of a lost CRL must stand in this script's [[revoke]], by its serial;",
            f"  which numbers of CRLs were used: the next one is {self.jump} higher than it would be;",
            "  how the PINs were held, where things were put away, which keys were destroyed.",
        )

    def text(self) -> str:
        """The same in a sentence, for whoever verifies; may be shown."""
        if not self.is_hole:
            return f"the ledger up to {self.after} was made again from the transcripts: {shown_text(self.reason)}"
        return f"what was done after {self.after}, up to {self._end}, is not known: {shown_text(self.reason)}"

    @property
    def _end(self) -> str:
        return "a last line that nobody knows" if self.last == UNKNOWN else self.last


def problems_with_previous(table: PreviousTable | None, has_use_root: bool) -> list[tuple[str, str]]:
    """What is wrong with `[previous]` in a script: where (key path) and what. `has_use_root`: a step of that kind is in it."""
    if table is None:
        return []
    if table.ledger == "whole":
        given = {"last": table.last is not None, "reason": bool(table.reason), "jump": table.jump != JUMP}
        return [(f"previous.{name}", 'belongs to ledger = "lost"') for name, is_given in given.items() if is_given]
    found = []
    if table.last is None:
        found.append(("previous.last", f'is missing: the fingerprint of the last line as on paper, or "{UNKNOWN}"'))
    if not table.reason.strip():
        found.append(("previous.reason", "is missing: how the ledger came to be lost"))
    if not has_use_root:
        found.append(("previous.ledger", "is lost: no step of kind use-root, in which two people bear that"))
    return found
