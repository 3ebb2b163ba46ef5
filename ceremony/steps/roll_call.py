"""roll-call: who is here, in which role, and who stands in for whom."""

import msgspec

from ceremony.engine.step import Ask, Known, Person, Run, Step, World

ABSENT = "absent"
"""The answer for somebody whom no step needs and who is not here."""


class RollCall(Step, frozen=True, tag="roll-call"):
    """The actor reads the list; everyone who acts or confirms in a step must be here, or an alternate that the script names."""

    def leads_to(self, world: World, script: object) -> World:
        """People are here."""
        return msgspec.structs.replace(world, roll_called=True)

    def run(self, known: Known) -> Run:
        """Asks the actor for each participant, then each of them."""
        script = known.script
        needed = {id for step in script.steps for id in (step.actor, *step.confirm)}
        people: dict[str, Person] = {}
        for participant in script.participants:
            choices = [participant.name, *participant.alternates] + [ABSENT] * (participant.id not in needed)
            text = f"Who is here as {participant.role} ({participant.id})?"
            name = yield Ask(key=f"who/{participant.id}", text=text, by=self.actor, choices=tuple(choices))
            if name != ABSENT:
                people[participant.id] = Person(name, participant.role, stands_in=name != participant.name)
        for id, person in people.items():
            standing_in = f"{person.name}, who stands in: " if person.stands_in else ""
            text = f"{standing_in}Are you here, in this role?"
            yield Ask(key=f"present/{id}", text=text, by=id, accept="present")
        return {"people": {id: msgspec.to_builtins(person) for id, person in people.items()}}
