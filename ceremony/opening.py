"""Before the first line: the last ceremony's fingerprint from paper, and the digest of the script that was approved."""

from typing import Any

from ceremony.engine.answers import problem_with
from ceremony.engine.conduct import Stopped
from ceremony.engine.step import Ask, Face, Interrupt, Notice
from ceremony.errors import CeremonyError, ExitCode
from ceremony.pki.lost_ledger import LEDGER_LOST
from ceremony.pki.names import shown_text
from ceremony.room.room import TokenRoom
from ceremony.script import Script
from ceremony.words import fingerprint_typed, words_of

_TRIES = 3


def approved(script: Script, sha256: str, room: TokenRoom, face: Face) -> list[dict[str, str]]:
    """Two people read the script's digest (hex) from the paper on which it was approved. Raises Stopped when they would rather not."""
    people = [participant for participant in script.participants if participant.role != "observer"][:2]
    module = room.module.info
    shown = (
        shown_text(script.title),
        f"May be held from {script.window.first} to {script.window.last}. {len(script.steps)} steps.",
        *map(shown_text, script.backup.lines()),
        *map(shown_text, script.activation.lines()),
        *(script.previous.lost.lines() if script.previous and script.previous.lost else ()),
        "",
        "Site, shown and recorded, not approved:",
        f"  Module: {module.path}",
        f"    {shown_text(module.description)} {module.library_version}, SHA-256 {module.sha256[:16]}...",
        *(f"  Token {name}: serial {serial}" for name, serial in sorted(room.site.tokens.items())),
        f"  What comes in: {room.inbox or 'nothing named'}",
        f"  What leaves:   {room.outbox or 'nothing named'}",
        f"  Credentials:   {room.credentials or 'nothing named'}",
        *(f"  Credential of {id}: token {shown_text(on.token)} behind {on.module}" for id, on in sorted(room.site.credentials.items())),
        "",
        "The digest below is the script's. It must be the one that was approved.",
    )
    words = words_of(sha256)
    for number, person in enumerate(people):
        part = " ".join(words[4 * number : 4 * number + 4])
        ask = Ask(
            key=f"approved/{person.id}",
            text=f"Is it the approved script? The {'next' if number else 'first'} four words of its digest.",
            by=person.id,
            shown=shown,
            digest=sha256,
            accept=part,
            read_first=True,
        )
        _answered(face, ask)
    return [{"id": person.id, "name": person.name} for person in people]


def previous_from_paper(script: Script, face: Face) -> None:
    """The fingerprint of the last ceremony is typed from paper before anything of it is shown (design, rule 8).

    Raises CeremonyError PREVIOUS-REFUSED after three other fingerprints, Stopped when nobody wants to go on.
    """
    wanted: Any = script.previous
    ask = Ask(
        key="previous/fingerprint",
        text="The fingerprint of the last ceremony from the paper: 64 hex digits or 32 words.",
        by=next(participant.id for participant in script.participants if participant.role == "administrator"),
        shown=(
            "The script starts from the bundle of an earlier ceremony.",
            "Its fingerprint comes from paper before anything of it is shown.",
            *((f"{LEDGER_LOST}: the paper is that of the newest bundle that is left.",) if wanted.lost else ()),
        ),
        accept=wanted.fingerprint,
        blind=True,
    )
    for _ in range(_TRIES):
        reply = face.ask(ask)
        if isinstance(reply, Interrupt):
            raise _not_begun(reply)
        try:
            if fingerprint_typed(reply.value) == wanted.fingerprint:
                return
            face.tell(Notice(kind="error", lines=("This is not the fingerprint that the script names. Read the paper again.",)))
        except ValueError as why:
            face.tell(Notice(kind="error", lines=(f"{why}.",)))
    raise CeremonyError("PREVIOUS-REFUSED", "The fingerprint from paper is not the one that the script names.", state="Nothing was begun.")


def _answered(face: Face, ask: Ask) -> None:
    while True:
        reply = face.ask(ask)
        if isinstance(reply, Interrupt):
            raise _not_begun(reply)
        problem = problem_with(ask, reply.value)
        if problem is None:
            return
        face.tell(Notice(kind="error", lines=(problem,)))


def _not_begun(interrupt: Interrupt) -> Stopped:
    return Stopped("not-begun", interrupt.exit_code or ExitCode.ABORTED, "Nothing was begun.")
