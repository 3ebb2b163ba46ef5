"""The one loop. A face asks and tells, a room does, the transcript remembers; steps say what and in which order.

An intent is written before each act and a result after it. When the record holds an intent without a
result, the loop looks before it does (design, rule 7). The open step is replayed with its recorded answers.
"""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NoReturn

from ceremony.engine.answers import LONGEST_TEXT, problem_with, problem_with_text, settled
from ceremony.engine.facts import Past, answers, facts_of, finished_steps, intends, open_intents, settle, value_of
from ceremony.engine.flushing import Flushing, RecordStops
from ceremony.engine.header import header_facts
from ceremony.engine.holders import alone_at_the_screen, givers_of, pin_in_force
from ceremony.engine.machine_check import machine_is_fit
from ceremony.engine.recovery import Recovery
from ceremony.engine.step import (
    Act,
    Acts,
    Ask,
    Face,
    Interrupt,
    Interrupted,
    Known,
    Notice,
    PinInForce,
    Request,
    Room,
    Secret,
    Show,
    Step,
    Write,
)
from ceremony.engine.together import done_together
from ceremony.errors import CeremonyError, ExitCode
from ceremony.transcript import Line, LineType, Transcript


@dataclass(eq=False)
class Stopped(Exception):
    """The session ended before the last step: a crossing, a pause, an abort, an error or a signal.

    All are recorded, but for an error of the record itself.
    """

    reason: str
    exit_code: int
    text: str = ""


def conduct(script: Any, transcript: Transcript, face: Face, room: Room) -> str:
    """Conducts the ceremony from where its record stands to its end, and returns the last seal's fingerprint (hex).

    Raises Stopped. The first line (`opened`) or the line that follows a pause (`resumed`) stands already.
    """
    session = Session(script, transcript, face, room)
    try:
        done = finished_steps(transcript.lines)
        for number, step in enumerate(script.steps[done:], done + 1):
            session.conduct_step(number, step)
    except RecordStops as stops:
        face.tell(Notice(kind="error", lines=tuple(stops.error.lines())))
        raise Stopped("error", stops.error.exit_code, stops.error.what) from stops
    finally:
        room.lock()
    *_, last = transcript.of_type("sealed")
    return last.sha256


class Session:
    """One session: from `opened` or `resumed` to its end."""

    def __init__(self, script: Any, transcript: Transcript, face: Face, room: Room) -> None:
        self.transcript, self.face, self.room, self._script = transcript, Flushing(face, transcript), room, script
        self._number = 0
        self._step: Step = script.steps[0]
        self._past = Past(script, transcript.lines)
        self.known: Known = self._past.before(1)
        self._machine_is_stale = False
        self.undecided: dict[str, Line] = {}
        """The intents of the open step whose outcome the record does not hold, by their keys."""
        self._aside = False
        # Somebody said to use the last try of a PIN in the act that is done next.
        self.insist = False

    # a step

    def conduct_step(self, number: int, step: Step) -> None:
        """One step, live or replayed as far as the record goes."""
        self._number, self._step = number, step
        self.known = self._past.before(number)
        lines = self._past.of(number)
        facts = facts_of(lines, number)
        self.undecided = open_intents(lines, number)
        self._machine_is_stale = any(fact.data.get("verb") == "check-machine" for fact in facts)
        if not any(line.type == "step-started" for line in lines):
            self.append("step-started", {"kind": step.__struct_config__.tag, "title": step.title}, actor=step.actor)
        self.face.tell(Notice(kind="step-started", step=number, lines=(step.title, *step.say.splitlines())))
        try:
            products = dict(self._run(step.run(self.known), facts) or {})
        except Interrupted as interrupted:
            self._stop(interrupted.interrupt)
        except CeremonyError as refused:
            self._refused(refused)
        if facts:
            raise self._mismatch(facts[0], f"is not asked for by step {number}")
        if not step.keeps_login:
            self.room.lock()
        if self.transcript.lines[-1].type == "closed":
            return
        line = self.append("step-finished", {"products": products}, actor=step.actor)
        self.face.tell(Notice(kind="step-finished", step=number, time=line.time))

    def _run(self, run: Generator[Request, Any, Any], facts: deque[Line]) -> Any:
        value: Any = None
        while True:
            # Only the step's own end may count as its end: nothing else is inside this `try`.
            try:
                request = run.send(value)
            except StopIteration as end:
                return end.value
            value = None
            if isinstance(request, Acts):
                replayed = [self._replayed(act, facts.popleft()) for act in request.acts[: len(facts)]]
                value = replayed + done_together(self, request.acts[len(replayed) :])
            elif not isinstance(request, Show):
                value = self._replayed(request, facts.popleft()) if facts else self._live(request)
            elif not facts:
                self._show(request)

    def _replayed(self, request: Request, fact: Line) -> Any:
        if not answers(fact, request, self.transcript.lines):
            raise self._mismatch(fact, f"({fact.type}) is not what step {self._number} asks for here")
        return value_of(fact)

    def _mismatch(self, line: Line, why: str) -> RecordStops:
        return RecordStops(
            CeremonyError("RECORD-MISMATCH", f"Line {line.seq} of the transcript {why}.", state="The record was not changed.")
        )

    def _live(self, request: Request) -> Any:
        self.require_nothing_else_open(request)
        match request:
            case Ask():
                return self.answer(request)
            case Act():
                return self.act(request)
            case Write():
                return self._write(request)
        raise TypeError(request)

    def _show(self, show: Show) -> None:
        if show.lines:
            self.face.tell(Notice(kind="info", lines=show.lines))
        if show.fingerprint:
            self.face.tell(Notice(kind="fingerprint", facts={"fingerprint": show.fingerprint}))

    def _write(self, write: Write) -> str:
        line = self.append(write.type, write.data, actor=write.by)
        if write.type == "paused":
            raise Stopped("crossing", ExitCode.DONE, write.data["text"])
        return line.sha256

    # questions

    def answer(self, ask: Ask, *, recovery: bool = False) -> str:
        """Asks until the answer fits, records it, and returns it. `recovery`: not one of the step's own questions."""
        value = self.ask(ask)
        person = self.known.person(ask.by)
        data: dict[str, Any] = {
            "key": ask.key,
            "text": ask.text,
            "value": value,
            "by": ask.by,
            "name": ask.name or person.name,
            "role": person.role,
            "digest": ask.digest,
        }
        if recovery:
            data["recovery"] = True
        self.append("ordered" if ask.order else "confirmed", data, actor=ask.by)
        return value

    def ask(self, ask: Ask) -> str:
        """Asks until the answer fits; not recorded. Interrupts are dealt with here."""
        while True:
            try:
                reply = self.face.ask(ask)
            except CeremonyError as failed:
                self._pause_for(failed)
            if isinstance(reply, Interrupt):
                self._interrupted(reply, ask.by, ask.name)
                continue
            problem = problem_with(ask, reply.value)
            if problem is None:
                return settled(ask, reply.value)
            self.face.tell(Notice(kind="error", lines=(problem,)))

    def secret(self, secret: Secret) -> bytearray:
        """Activation data on its way to the room, which wipes it. Raises Interrupted when somebody would rather stop.

        Before a new share is shown, its holder says for the record that nobody and nothing else sees the screen.
        """
        if secret.reveal is not None:
            self.beside(alone_at_the_screen(secret))
        while True:
            try:
                reply = self.face.secret(secret)
            except CeremonyError as failed:
                self._pause_for(failed)
            if isinstance(reply, bytearray):
                return reply
            self._interrupted(reply, secret.by)

    def _interrupted(self, interrupt: Interrupt, by: str, name: str = "") -> None:
        """Records a deviation, and returns to ask again; `name` is that of `by`, see Ask. Raises Interrupted for all else."""
        if interrupt.kind != "deviation":
            raise Interrupted(interrupt)
        if problem := problem_with_text(interrupt.text, least=1):
            self.face.tell(Notice(kind="error", lines=(problem,)))
            return
        who = interrupt.by if any(participant.id == interrupt.by for participant in self._script.participants) else by
        reported_by = {"id": who, "name": (name if who == by else "") or self.known.person(who).name}
        text = interrupt.text.strip()
        self.append("deviation", {"class": "note", "text": text, "by": [reported_by]}, actor=who)
        self.face.tell(Notice(kind="info", lines=("Deviation recorded: " + text,)))

    def decide(self, error: CeremonyError) -> bool:
        """Tells an error and lets the actor choose; returns when it is to be tried again, and whether somebody insists."""
        self.face.tell(Notice(kind="error", lines=tuple(error.lines())))
        choices = ("pause", error.insist or "again", "abort")
        text = "The act did not succeed. What now?"
        choice = self.ask(Ask(key="after-error", text=text, by=self._step.actor, shown=tuple(error.lines()), choices=choices))
        if choice == "pause":
            self._pause_for(error, told=True)
        if choice == "abort":
            self._stop(Interrupt(kind="abort", text=error.what))
        return choice == error.insist

    # acts

    def require_nothing_else_open(self, *requests: Request) -> None:
        """Raises RecordStops where the record intends what is not asked for here."""
        for intent in () if self._aside else self.undecided.values():
            if not any(isinstance(request, Act) and intends(intent, request) for request in requests):
                raise self._mismatch(intent, f"intends something else than step {self._number} does here")

    def act(self, act: Act) -> dict[str, Any]:
        """Does it, or settles what an interruption left of it."""
        self.look_at_machine_for(act)
        return Recovery(self).of(act) if act.key in self.undecided and not self._aside else self.do(act)

    def do(self, act: Act) -> dict[str, Any]:
        """Intent, act, result. A failure with a known outcome is recorded and may be tried again."""
        while True:
            self.log_in_for(act)
            self.append("intent", {"key": act.key, "verb": act.verb, "args": act.args})
            try:
                value = self.finish(act)
            except CeremonyError as undecided:
                self.insist = self.decide(undecided)
                return Recovery(self).of(act)
            if value is not None:
                return value

    def finish(self, act: Act) -> dict[str, Any] | None:
        """Does an act whose intent stands, and records its result; None when it failed, that is recorded, and it is to be tried again.

        Raises CeremonyError when it is not known whether it was done, or what it left: then its intent stays open.
        """
        self.face.tell(Notice(kind="working", lines=(act.waiting or f"Waiting: {act.verb}",)))
        try:
            insist, self.insist = self.insist, False
            value = self.room.do(act, self.secret, insist)
        except CeremonyError as failed:
            if failed.outcome_unknown or act.after_crash == "destroy-first":
                raise
            self.record_failure(act, failed)
            self.insist = self.decide(failed)
            return None
        return self.record(act, value)

    def record_failure(self, act: Act, failed: CeremonyError) -> None:
        """Writes that an act was not done, and why."""
        self.append("result", {"key": act.key, "verb": act.verb, "error": {"code": failed.code, "what": failed.what}})

    def record(self, act: Act, value: dict[str, Any]) -> dict[str, Any]:
        """Writes the result of an act. It is on the disk before anything is told, asked or intended after it.

        The result of an act that a crash must not undo is there at once; a signature is found again in its file (rule 7).
        """
        flush = act.after_crash not in ("repeat", "order-again")
        line = self.append("result", {"key": act.key, "verb": act.verb, "value": value}, flush=flush)
        if facts := header_facts(act.verb, value, line.time):
            self.face.tell(Notice(kind="status", facts=facts))
        return value

    def log_in_for(self, act: Act) -> None:
        """Unlocks the token when the act needs it: a resource, asked for again after each pause."""
        insist = False
        while act.login and not self.room.unlocked:
            pin = pin_in_force(self.known, "user")
            givers = tuple(self.beside(self._givers(pin))["givers"])
            login = {"key": "login", "verb": "login", "resource": True}
            self.append("intent", {**login, "args": {"holders": list(givers)}})
            try:
                facts = self.room.unlock(self.secret, insist, pin, givers)
            except CeremonyError as failed:
                self.append("result", {**login, "error": {"code": failed.code, "what": failed.what}})
                insist = self.decide(failed)
            else:
                self.append("result", {**login, "value": facts})

    def look_at_machine_for(self, act: Act) -> None:
        """Checks it anew when it was checked in this step before an interruption, and its root was not used yet (design, rule 9)."""
        if not (act.login and self._machine_is_stale):
            return
        actor, confirmer = self.people_of_step[:2]
        self.beside(machine_is_fit("machine/again", self.known, actor, confirmer))
        self._machine_is_stale = False

    def _givers(self, pin: PinInForce) -> Generator[Request, Any, dict[str, Any]]:
        return {"givers": (yield from givers_of("login/share", pin, self.known, self._step.actor))}

    def beside(self, run: Generator[Request, Any, Any]) -> Any:
        """Runs what the step itself does not ask for; its lines are no answers to the step."""
        before, self._aside = self._aside, True
        try:
            return self._run(run, deque())
        finally:
            self._aside = before

    # the record, and the ways out

    def append(self, type: LineType, data: dict[str, Any], *, actor: str | None = None, flush: bool = True) -> Line:
        """Writes a line of this step; see Transcript.append for `flush`. Raises RecordStops."""
        if self._aside and type in ("confirmed", "ordered", "intent", "result", "deviation"):
            data = {**data, "recovery": True}
        try:
            line = self.transcript.append(type, data, step=self._number, actor=actor, flush=flush)
        except CeremonyError as failed:
            raise RecordStops(failed) from failed
        settle(self.undecided, line)
        return line

    def _stop(self, interrupt: Interrupt) -> NoReturn:
        """Records an operator's stop and ends the session."""
        self.room.lock()
        text = "".join(character if character.isprintable() else " " for character in interrupt.text)[:LONGEST_TEXT]
        if interrupt.kind == "abort":
            self.append("aborted", {"text": text}, actor=interrupt.by or None)
            raise Stopped("aborted", ExitCode.ABORTED, text)
        reason = "signal" if interrupt.kind == "signal" else "operator"
        self._paused({"reason": reason, "text": text})
        raise Stopped(reason, interrupt.exit_code, text)

    def _refused(self, error: CeremonyError) -> NoReturn:
        """The step itself says no: to try again would say the same. The ways out are a pause and, for good, an abort (design, rule 10)."""
        self.room.lock()
        self.face.tell(Notice(kind="error", lines=tuple(error.lines())))
        ask = Ask(
            key="after-refusal",
            text="The ceremony can't go on like this. Pause, or abort it for good?",
            by=self._step.actor,
            shown=tuple(error.lines()),
            choices=("pause", "abort"),
        )
        try:
            choice = self.ask(ask)
        except Interrupted as interrupted:
            self._stop(interrupted.interrupt)
        if choice == "abort":
            self._stop(Interrupt(kind="abort", text=error.what))
        self._pause_for(error, told=True)

    def _pause_for(self, error: CeremonyError, *, told: bool = False) -> NoReturn:
        if not told:
            self.face.tell(Notice(kind="error", lines=tuple(error.lines())))
        self.room.lock()
        self._paused({"reason": "error", "text": error.what, "code": error.code})
        raise Stopped("error", error.exit_code, error.what)

    def _paused(self, data: dict[str, Any]) -> None:
        line = self.append("paused", data)
        self.face.tell(Notice(kind="fingerprint", facts={"fingerprint": line.sha256}))

    @property
    def people_of_step(self) -> tuple[str, ...]:
        """Actor and confirmers of the open step, the actor first."""
        return (self._step.actor, *self._step.confirm)

