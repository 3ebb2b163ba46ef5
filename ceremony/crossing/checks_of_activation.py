"""What `verify` asks of the PINs: who made, proved, changed and used them (design, rule 12)."""

from collections.abc import Iterator, Mapping
from typing import Any

from ceremony.activation.arrangement import PIN_NAMES, WHICH, HeldPin, Which
from ceremony.crossing.held_pins import BothMade, ChangeArguments, Changed, LoginArguments, ProveArguments
from ceremony.crossing.products import Products
from ceremony.crossing.record import Act, data_as
from ceremony.crossing.subject import Subject
from ceremony.transcript import Line

_VERBS = (
    *("initialise-token", "prove-activation", "change-activation", "login", "generate-key", "sign"),
    *("take-token", "leave-token", "wipe-token"),
)


def problems_with_activation(subject: Subject) -> Iterator[str]:
    """Each PIN is held as the script says and is opened by exactly as many of its holders, who were called; a key is made and used
    after a login by them alone, and not before every new share was proved."""
    yield from _Held(subject).problems()


class _Held:
    """How both PINs are held at a line, which of their holders have not proved their share, and whether the token is open."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        said, opened = subject.script.activation, subject.record.opened
        known = opened.previous.activation if opened.previous else None
        self._held: dict[Which, HeldPin] = {which: said.held(which, before=True) for which in WHICH}
        self._sets: dict[Which, int | None] = {which: known.of(which).set if known else None for which in WHICH}
        self._differs = [which for which in WHICH if known and known.of(which).as_said != self._held[which]]
        self._unproved: dict[Which, set[str]] = {which: set() for which in WHICH}
        self._made: set[Which] = set()
        self._open = False

    def problems(self) -> Iterator[str]:
        """All of them, in the order of the lines."""
        for which in self._differs:
            yield f"the script says otherwise than the last ceremony's ledger how the {PIN_NAMES[which]} is held"
        intended: dict[tuple[int | None, str], Act] = {}
        for line in self._subject.record.lines:
            if line.type in ("paused", "resumed"):
                self._open = False
            elif line.type == "step-started":
                self._made = set()
            elif line.type == "step-finished":
                yield from self._step_ended(line)
            elif line.type in ("intent", "result") and line.data.get("verb") in _VERBS:
                act = data_as(Act, line)
                if line.type == "intent":
                    intended[line.step, act.key] = act
                    yield from self._intended(line, act)
                elif act.value is not None and (before := intended.get((line.step, act.key))):
                    yield from self._done(line, before, act.value)

    def _intended(self, line: Line, act: Act) -> Iterator[str]:
        if act.verb in ("generate-key", "sign") and not self._open:
            yield f"line {line.seq} uses the root's key, or makes it, without a login before"
        if act.verb == "generate-key":
            yield from self._not_proved(line)

    def _done(self, line: Line, act: Act, value: Mapping[str, Any]) -> Iterator[str]:
        match act.verb:
            case "login":
                yield from self._opened_by(line, "user", data_as(LoginArguments, line, act.args).holders)
                self._open = True
            case "take-token" | "leave-token":
                self._open = False
            case "wipe-token":
                yield from self._opened_by(line, "so", data_as(LoginArguments, line, act.args).holders)
                self._open = False
            case "initialise-token":
                yield from self._initialised(line, value)
            case "prove-activation":
                proof = data_as(ProveArguments, line, act.args)
                yield from self._opened_by(line, proof.which, proof.holders)
                if proof.set != self._sets[proof.which]:
                    yield f"line {line.seq} proves shares of another set than the one in force"
                self._unproved[proof.which] -= set(proof.holders)
            case "change-activation":
                change = data_as(ChangeArguments, line, act.args)
                yield from self._opened_by(line, "so" if change.by == "so" else change.which, change.holders_before)
                now = HeldPin(kind=change.kind, threshold=change.threshold, holders=change.holders)
                yield from self._is_held(line, change.which, now, data_as(Changed, line, value).set)

    def _initialised(self, line: Line, value: Mapping[str, Any]) -> Iterator[str]:
        if "activation" in value:
            made = data_as(BothMade, line, value["activation"])
            yield from self._is_held(line, "so", made.so.as_said, made.so.set)
            yield from self._is_held(line, "user", made.user.as_said, made.user.set)
        elif any(held.kind != "pin" for held in self._held.values()):
            yield f"line {line.seq} does not say how the PINs are held"
        else:
            self._made = set(WHICH)

    def _is_held(self, line: Line, which: Which, now: HeldPin, number: int | None) -> Iterator[str]:
        """From this line on."""
        if now != self._subject.script.activation.held(which):
            yield f"line {line.seq} makes a {PIN_NAMES[which]} that is held otherwise than the script says"
        if (number is None) == (now.kind == "shared-pin"):
            yield f"line {line.seq} does not fit a {PIN_NAMES[which]} of kind {now.kind} in whether it names a set of shares"
        self._held[which], self._sets[which] = now, number
        self._unproved[which] = set(now.holders)
        self._made.add(which)

    def _opened_by(self, line: Line, which: Which, givers: tuple[str, ...]) -> Iterator[str]:
        held, called = self._held[which], self._subject.record.products(line.step).people
        wanted = held.smallest_group if held.kind == "shared-pin" else 0
        if len(givers) != wanted or len(set(givers)) != wanted:
            yield f"line {line.seq} opens the token by the {PIN_NAMES[which]} with shares of {len(set(givers))} people; it takes {wanted}"
        for id in sorted(set(givers) - set(held.holders)):
            yield f"line {line.seq} takes a share from {id}, who holds none of the {PIN_NAMES[which]}"
        for id in sorted(set(givers) & set(held.holders) - called.keys()):
            yield f"line {line.seq} takes a share from {id}, who was not called"

    def _not_proved(self, line: Line) -> Iterator[str]:
        for which, holders in self._unproved.items():
            if holders:
                yield f"by line {line.seq} the share of the {PIN_NAMES[which]} of {', '.join(sorted(holders))} is not proved"

    def _step_ended(self, line: Line) -> Iterator[str]:
        steps = self._subject.script.steps
        kind, which = (steps[line.step - 1].kind, steps[line.step - 1].which) if line.step and line.step <= len(steps) else ("", None)
        if kind != "unlock":
            self._open = False
        wanted = set(WHICH) if kind == "initialise-token" else {which} if kind == "change-activation" else set()
        if wanted - self._made:
            missing = " and no ".join(PIN_NAMES[one] for one in WHICH if one in wanted - self._made)
            yield f"line {line.seq} ends a step that made no {missing}"
        yield from self._not_proved(line)
        told = data_as(Products, line, line.data["products"]).activation
        if wanted and told and any((told.of(one).as_said, told.of(one).set) != (self._held[one], self._sets[one]) for one in WHICH):
            yield f"line {line.seq} tells otherwise how the PINs are held than the acts of its step"
