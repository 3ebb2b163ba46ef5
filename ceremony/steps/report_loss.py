"""report-loss: a token with a root's key is lost, broken or in other hands. It goes into the ledger with its reason, for ever."""

from collections.abc import Generator, Iterable
from typing import Any

import msgspec

from ceremony.engine.backed import backed
from ceremony.engine.step import Act, Ask, Known, Request, Run, Show, Step, World
from ceremony.pki.names import shown_text
from ceremony.steps.physical import typed_twice

HOW = ("broken", "lost", "in other hands")
_LEAST_REASON = 10


class ReportLoss(Step, frozen=True, tag="report-loss"):
    """`label` is that of the root whose key is on the lost token; the script's own root unless said. No token is needed for it."""

    label: str = ""

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """People, and a ledger that tells of the root; before the root is taken up, so that a token which came back is refused."""
        if not world.roll_called:
            yield "no roll-call since the start of the session"
        if script.previous is None:
            yield "there is no ceremony before, and so no token that could be lost"
        if world.root not in ("present", "absent"):
            yield "the root is taken up already: a loss is reported before, so that the token which is lost is not used"

    def leads_to(self, world: World, script: object) -> World:
        """Something to leave with a bundle."""
        return msgspec.structs.replace(world, unsealed=True)

    def run(self, known: Known) -> Run:
        """Which token, how and why: chosen or typed by the actor, agreed to by the confirmer, who signs for it."""
        people = (self.actor, self.confirm[0])
        label = self.label or known.script.root.label
        previous = yield Act(key="previous", verb="read-previous", args={"label": label})
        serial = yield from _which(known, label, previous, people)
        shown = (f"Root: {shown_text(label)}", f"Token: serial {shown_text(serial)}")
        how = yield Ask(key="how", text="What became of the token?", by=people[0], shown=shown, choices=HOW)
        told = (*shown, f"It is {how}.", *_MEANS, *(_COMPROMISE if how == HOW[2] else ()))
        reason = yield Ask(key="reason", text="What is known of it?", by=people[0], shown=told, least=_LEAST_REASON)
        lost = {"label": label, "public_key_sha256": previous["root_public_key_sha256"], "token": serial, "how": how, "reason": reason}
        told = (*told, f"What is known: {shown_text(reason)}")
        yield from backed(known, Ask(key="agree", text="Do you agree that this is recorded?", by=people[1], shown=told, accept="recorded"))
        yield Show(lines=told)
        return {"lost_tokens": [*known.products.get("lost_tokens", []), lost]}


def tokens_lost_here(known: Known) -> list[str]:
    """The serials that this very ceremony reported as lost."""
    return [str(lost["token"]) for lost in known.products.get("lost_tokens", [])]


def _which(known: Known, label: str, previous: dict[str, Any], people: tuple[str, str]) -> Generator[Request, Any, str]:
    tokens = tuple(serial for serial in previous["tokens_left"] if serial not in tokens_lost_here(known))
    if not tokens:
        # A ledger from before it told of tokens.
        text = "The serial of the lost token, from the report of an earlier ceremony"
        return (yield from typed_twice("token", text, "token", people))[0]
    text = f"Which token with the key of {label} is lost? Its serial, of those that the ledger knows."
    serial: str = yield Ask(key="token/1/first", text=text, by=people[0], choices=tokens)
    text = "The same serial, from the paper report of an earlier ceremony."
    yield Ask(key="token/1/second", text=text, by=people[1], accept=serial)
    return serial


_MEANS = (
    "The ledger holds this from now on. The token is refused wherever it comes back.",
    "The root stands on one token fewer: the script names by when there is another.",
)
_COMPROMISE = (
    "IN OTHER HANDS: the key may sign for others. Outside, now: disable every group",
    "under this root (`ceremony online disable NAME`), and plan another root.",
)
