"""check-clock: two people agree that the clock is right; the day they agree on dates the certificates."""

import msgspec

from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World


class CheckClock(Step, frozen=True, tag="check-clock"):
    """Shows the clock in UTC; the actor and the first confirmer compare it with clocks of their own."""

    confirmers = 1

    def leads_to(self, world: World, script: object) -> World:
        """The clock is agreed."""
        return msgspec.structs.replace(world, clock_checked=True)

    def run(self, known: Known) -> Run:
        """Reads and asks until both agree and the day lies in the script's window."""
        turn = 0
        while True:
            turn += 1
            clock = yield Act(key=f"clock/{turn}", verb="read-clock", args={"not_before": known.products.get("not_before", "")})
            shown = [f"UTC date and time of this machine: {clock['utc'].replace('T', '  ').replace('Z', '')}", *clock["problems"]]
            outside = known.script.window.problem_with(clock["utc"][:10])
            if outside and known.rehearsal:
                shown.append(f"REHEARSAL: {outside}; it goes on all the same.")
            elif outside:
                shown.append(f"{outside}. A ceremony is refused on such a day: set the clock if it is wrong, else pause.")
            blocked = bool(clock["problems"]) or (bool(outside) and not known.rehearsal)
            choices = ("differs",) if blocked else ("agrees", "differs")
            agreed = True
            for person in (self.actor, self.confirm[0]):
                text = "Compare with a clock of your own, in UTC. Does it agree to the minute?"
                answer = yield Ask(key=f"clock/{turn}/{person}", text=text, by=person, shown=tuple(shown), choices=choices)
                agreed = agreed and answer == "agrees"
            if agreed:
                return {"ceremony_day": clock["utc"][:10], "clock_utc": clock["utc"], "not_before": clock["utc"]}
            yield Show(lines=("Set the clock (pause with F10 if that needs the system), then it is read again.",))
