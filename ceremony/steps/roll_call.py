"""roll-call: who is here, in which role, and who stands in for whom."""

from collections.abc import Generator
from typing import Any

import msgspec

from ceremony.engine.holders import holders_needed, people_missing
from ceremony.engine.step import Ask, Known, Person, Request, Run, Show, Step, World

ABSENT = "absent"
"""The answer for somebody whom no step needs and who is not here."""
IDENTIFIED = ("known in person", "identity document", "staff badge")
"""How somebody who is here was identified; anything else is a deviation to be noted."""


class RollCall(Step, frozen=True, tag="roll-call"):
    """The actor reads the list and says how each was identified; everyone who acts or confirms in a step must be here, or an alternate.

    So must enough holders of shares for what the session does; while they are not, the roll is called again.
    """

    calls_the_roll = True

    def leads_to(self, world: World, script: object) -> World:
        """People are here."""
        return msgspec.structs.replace(world, roll_called=True)

    def run(self, known: Known) -> Run:
        """Asks the actor for each participant, then each of them."""
        script = known.script
        everybody, opened = holders_needed(script, known.step)
        needed = {id for step in script.steps for id in (step.actor, *step.confirm)} | everybody
        turn = 1
        while True:
            people = yield from self._called(script, needed, "who" if turn == 1 else f"who/again/{turn}")
            missing = next(filter(None, (people_missing(name, held, people) for name, held in opened)), None)
            if missing is None:
                break
            turn += 1
            shown = tuple(missing.lines())
            yield Show(lines=shown)
            leader = people[self.actor].name
            yield Ask(key=f"again/{turn}", text="Call the roll again?", by=self.actor, name=leader, shown=shown, accept="again")
        for id, person in people.items():
            standing_in = f"{person.name}, who stands in: " if person.stands_in else ""
            text = f"{standing_in}Are you here, in this role?"
            yield Ask(key=f"present/{id}", text=text, by=id, name=person.name, accept="present")
        for id, person in people.items():
            # Nobody says it of themselves.
            by = self.actor if id != self.actor else next((other for other in people if other != id), id)
            text = f"How was {person.name} ({person.role}) identified?"
            yield Ask(key=f"identified/{id}", text=text, by=by, name=people[by].name, choices=IDENTIFIED)
        return {"people": {id: msgspec.to_builtins(person) for id, person in people.items()}}

    def _called(self, script: Any, needed: set[str], key: str) -> Generator[Request, Any, dict[str, Person]]:
        people: dict[str, Person] = {}
        for participant in script.participants:
            choices = [entry.name for entry in participant.everyone] + [ABSENT] * (participant.id not in needed)
            text = f"Who is here as {participant.role} ({participant.id})?"
            # Who calls the roll has the name that was called, from then on.
            caller = people[self.actor].name if self.actor in people else ""
            name = yield Ask(key=f"{key}/{participant.id}", text=text, by=self.actor, name=caller, choices=tuple(choices))
            if name != ABSENT:
                people[participant.id] = Person(name, participant.role, stands_in=name != participant.name)
        return people
