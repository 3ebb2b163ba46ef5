"""What is done about an intent without a result: look first, then by the act's own rule (design, rule 7)."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.backed import backed
from ceremony.engine.step import Act, Ask, Notice
from ceremony.errors import CeremonyError
from ceremony.words import words_of

if TYPE_CHECKING:
    from ceremony.engine.conduct import Session

_GIVEN_UP_MEANS = {
    False: ("serial number then counts as possibly signed and belongs on the next CRL.",),
    True: ("number then counts as used, and a CRL with the next number is drafted.",),
}


class Recovery:
    """Settles one undecided act of the open step; the record tells how it was settled (`recovered`)."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    def of(self, act: Act) -> dict[str, Any]:
        """The act's result, after looking, adopting, repeating, ordering again, or destroying first.

        An error while looking leaves the act undecided; only what the room says of the act itself decides it.
        """
        while True:
            try:
                return self._settled(act)
            except CeremonyError as failed:
                self._session.insist = self._session.decide(failed)

    def _settled(self, act: Act) -> dict[str, Any]:
        if act.after_crash == "order-again":
            if self._was_given_up(act):
                return self._session.record(act, {"given_up": True})
            found = self._session.room.look_for(act)
            if found is not None:
                self._recovered(act, "adopted", {})
                return self._session.record(act, found)
            if not self._is_ordered_again(act):
                self._recovered(act, "given-up", _what_is_given_up(act), by=self._people(act)[0])
                return self._session.record(act, {"given_up": True})
        elif act.after_crash == "look-first":
            found = self._session.room.look_for(act)
            if found is not None:
                self._recovered(act, "adopted", {})
                return self._session.record(act, found)
        elif act.after_crash == "destroy-first":
            # What an unrecorded generation left is destroyed, never adopted: it is not even looked for as a result.
            self._destroy_what_was_left(act)
        self._session.log_in_for(act)
        self._recovered(act, "signed-again" if act.after_crash == "order-again" else "done-again", {})
        value = self._session.finish(act)
        return self._session.do(act) if value is None else value

    def _people(self, act: Act) -> tuple[str, str]:
        first, second = (*act.order_by, *self._session.people_of_step)[:2]
        return first, second

    def _is_ordered_again(self, act: Act) -> bool:
        """The same stored bytes, after a new order by the same two people; False when the signature is given up as possibly made."""
        orderer, confirmer = self._people(act)
        digest = act.args["sha256"]
        words = words_of(digest)
        shown = (
            "The program was interrupted while the token was asked to sign these bytes:",
            f"  {act.args['purpose']}: {act.args['subject']}",
            "No signature is recorded. The token may or may not have made one.",
            "The SAME bytes can be signed after a new order, or given up: their",
            *_GIVEN_UP_MEANS[act.args["serial"] is None],
        )
        choices = ("sign", "give up")
        text = "Sign the same bytes, or give up?"
        if self._session.ask(Ask(key=f"{act.key}/recover", text=text, by=orderer, shown=shown, choices=choices)) == "give up":
            return False
        for key, text, by, part in (
            ("order-again", "This is the order to sign again: the first four words of the digest.", orderer, words[:4]),
            ("confirm-again", "Have you read the same? The next four words of the digest.", confirmer, words[4:8]),
        ):
            ask = Ask(key=f"{act.key}/{key}", text=text, by=by, shown=shown, digest=digest, accept=" ".join(part), order=True)
            if by == confirmer:
                self._session.beside(backed(self._session.known, ask))
            else:
                self._session.answer(ask, recovery=True)
        return True

    def _was_given_up(self, act: Act) -> bool:
        """Whether the record says so already: then only the result is missing."""
        intent = self._session.undecided.get(act.key)
        after = self._session.transcript.lines[intent.seq :] if intent else []
        return any(line.type == "recovered" and (line.data["key"], line.data["how"]) == (act.key, "given-up") for line in after)

    def _destroy_what_was_left(self, act: Act) -> None:
        """Two people have it destroyed before the act is done anew. What it is stands in the line that each confirms."""
        self._session.log_in_for(act)
        left = self._session.room.left_by(act)
        if left is None:
            return
        what = ", ".join(f"{name} {value}" for name, value in left.items())
        shown = (
            "The program was interrupted in this act, and it left on the token:",
            *(f"  {name}: {value}" for name, value in left.items()),
            "No result was recorded, so it is never used: it is destroyed, and the",
            "act is done anew.",
        )
        people = self._session.people_of_step[:2]
        for person in people:
            text = f"Shall it be destroyed ({what})?"
            self._session.answer(Ask(key=f"{act.key}/destroy/{person}", text=text, by=person, shown=shown, accept="destroy"), recovery=True)
        self._session.room.undo(act, self._session.secret)
        self._recovered(act, "destroyed", {"left": left}, by=people[0])

    def _recovered(self, act: Act, how: str, more: dict[str, Any], by: str | None = None) -> None:
        self._session.append("recovered", {"key": act.key, "verb": act.verb, "how": how, **more}, actor=by)
        self._session.face.tell(Notice(kind="info", lines=(f"After the interruption, {act.verb}: {how}.",)))


def _what_is_given_up(act: Act) -> dict[str, Any]:
    """The serial of a certificate, or the number of a CRL."""
    serial = act.args["serial"]
    return {"crl_number": act.args["crl_number"]} if serial is None else {"serial": serial}
