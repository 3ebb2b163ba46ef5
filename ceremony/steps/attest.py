"""attest: something that people in the room saw and say so."""

from ceremony.engine.step import Ask, Known, Run, Step


class Attest(Step, frozen=True, tag="attest"):
    """The statement is read aloud; the actor and each confirmer type `confirmed`."""

    statement: str

    def run(self, known: Known) -> Run:
        """Asks each person in turn."""
        for person in (self.actor, *self.confirm):
            yield Ask(
                key=f"attest/{person}", text="Did you see it so?", by=person, shown=tuple(self.statement.splitlines()), accept="confirmed"
            )
        return {}
