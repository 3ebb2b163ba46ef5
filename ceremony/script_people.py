"""The people of a ceremony script: participants, their alternates and credentials, and what can be wrong with them."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec

from ceremony.activation.roster import public_key_of
from ceremony.engine.answers import folded
from ceremony.engine.step import Step
from ceremony.pki.names import shown_text
from ceremony.pki.printed import look_of
from ceremony.steps.roll_call import ABSENT

Role = Literal["administrator", "crypto-officer", "custodian", "witness", "auditor", "observer"]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$(?!\n)")]
PersonName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the script: unknown keys are errors."""


class Problem(NamedTuple):
    """Something wrong with a script: where (key path), what, and whether it is only not built yet."""

    where: str
    what: str
    not_built: bool = False


class Signer(Table, frozen=True, kw_only=True):
    """Somebody by name, and their credential (see activation.roster). Only an observer has none."""

    name: PersonName
    credential: str | None = None


class Participant(Signer, frozen=True, kw_only=True):
    """An entry of `[[participants]]`: a place in the room, who fills it, who else may."""

    id: Name
    role: Role
    alternates: tuple[Signer, ...] = ()

    @property
    def everyone(self) -> tuple[Signer, ...]:
        """Who the script lets fill this place: the participant, then the alternates."""
        return (self, *self.alternates)


def roster_of(participants: Sequence[Participant]) -> list[tuple[str, str]]:
    """Everyone who has a credential, by name, and the credential as roster text."""
    return [(entry.name, entry.credential) for place in participants for entry in place.everyone if entry.credential is not None]


def problems_with_people(participants: Sequence[Participant], steps: Sequence[Step]) -> Iterator[Problem]:
    """Ids, names, roles, who acts and confirms in which step, and everybody's credential."""
    yield from _problems_with_credentials(participants)
    ids = [participant.id for participant in participants]
    for id in sorted({id for id in ids if ids.count(id) > 1}):
        yield Problem("participants", f"the id {id!r} stands twice")
    names = [folded(look_of(entry.name)) for participant in participants for entry in participant.everyone]
    for name in sorted({name for name in names if name in ("", ABSENT) or not name.isprintable()}):
        yield Problem("participants", f"{shown_text(name)!r} can't be a name: nobody could answer to it")
    for name in sorted({name for name in names if names.count(name) > 1}):
        what = f"{shown_text(name)!r}, or what looks the same, stands in two places: nobody holds two roles, not as an alternate either"
        yield Problem("participants", what)
    roles = {participant.id: participant.role for participant in participants}
    if "administrator" not in roles.values():
        yield Problem("participants", "nobody has the role administrator")
    if not steps:
        yield Problem("steps", "there are none")
    for number, step in enumerate(steps, 1):
        where = f"steps[{number}]"
        for person in (step.actor, *step.confirm):
            if person not in roles:
                near = difflib.get_close_matches(person, ids, 1)
                yield Problem(where, f"{shown_text(person)!r} is no participant" + (f"; did you mean {near[0]!r}?" if near else ""))
            elif roles[person] == "observer":
                yield Problem(where, f"{person!r} is an observer, who neither acts nor confirms")
        if roles.get(step.actor) == "auditor":
            yield Problem(where, f"{step.actor!r} is an auditor, who confirms but does not act")
        if len(set(step.confirm) - {step.actor}) < step.confirmers:
            yield Problem(f"{where}.confirm", f"needs {step.confirmers} other than the actor")
        if step.actor in step.confirm or len(set(step.confirm)) < len(step.confirm):
            yield Problem(f"{where}.confirm", "names somebody twice, or the actor")


def _problems_with_credentials(participants: Sequence[Participant]) -> Iterator[Problem]:
    for number, participant in enumerate(participants, 1):
        for place, entry in enumerate(participant.everyone):
            where, credential = f"participants[{number}]" + f".alternates[{place}]" * (place > 0), entry.credential
            if credential is None:
                if participant.role != "observer":
                    yield Problem(f"{where}.credential", "is missing: `ceremony credential new NAME -o FILE` makes one and prints it")
                continue
            try:
                public_key_of(credential)
            except ValueError as wrong:
                yield Problem(f"{where}.credential", str(wrong))
    credentials = [credential for _, credential in roster_of(participants)]
    for credential in sorted({credential for credential in credentials if credentials.count(credential) > 1}):
        names = ", ".join(name for name, named in roster_of(participants) if named == credential)
        yield Problem("participants", f"one credential stands in two places ({shown_text(names)}): a credential is one person's own")
