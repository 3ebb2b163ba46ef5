"""What `verify` asks of what people signed with their credentials: sign-offs, confirmations, overrides (design, rules 6 and 10)."""

from collections.abc import Iterator

import msgspec

from ceremony.activation.roster import signature_holds
from ceremony.activation.statements import CONFIRMATION, OVERRIDE, SIGN_OFF, signed_octets
from ceremony.canonical import NotCanonical
from ceremony.crossing.record import Answered, Deviation, data_as
from ceremony.crossing.statements import SignedOff, Statement, statements_in
from ceremony.crossing.subject import Subject
from ceremony.transcript import Line


def sign_offs(subject: Subject, seal: Line | None = None) -> list[tuple[Line, SignedOff]]:
    """The sign-offs that belong to a seal, by default the last: those that stand before it in its step."""
    seal = seal or subject.record.lines[-1]
    lines = [line for line in subject.record.of_type("signed-off") if line.step == seal.step and line.seq < seal.seq]
    return [(line, data_as(SignedOff, line)) for line in lines]


def problems_with_sign_offs(subject: Subject) -> Iterator[str]:
    """Before each seal everyone who was called and is no observer signed off with their own credential, after all that was made."""
    statements = statements_in(subject.record)
    for seal, _ in subject.record.seals:
        people = {id for id, person in subject.record.products(seal.step).people.items() if person.role != "observer"}
        if not people:
            yield f"nobody was called before line {seal.seq}: nobody could sign off"
        signed = sign_offs(subject, seal)
        for line, sign_off in signed:
            yield from _problems_with_sign_off(subject, line, sign_off, statements)
        for id in sorted(people - {sign_off.participant for _, sign_off in signed}):
            present = subject.record.products(seal.step).people[id]
            yield f"{present.name} ({present.role}) did not sign off before line {seal.seq}"


def _problems_with_sign_off(subject: Subject, line: Line, sign_off: SignedOff, statements: list[Statement]) -> Iterator[str]:
    said = {key: value for key, value in line.data.items() if key not in ("line", "signature")}
    if sign_off.context != SIGN_OFF:
        yield f"the sign-off of {sign_off.name} (line {line.seq}) is for something else"
    made = [
        statement
        for statement in statements
        if (statement.line.step, statement.made.signature) == (line.step, sign_off.signature) and statement.line.seq < line.seq
    ]
    if not made:
        yield f"the signature of {sign_off.name} (line {line.seq}) was not made in this step before it"
    for statement in made:
        if (statement.asked.statement, statement.made.line, statement.made.credential) != (said, sign_off.line, sign_off.credential):
            yield f"what {sign_off.name} signed is not what line {line.seq} says"
        yield from _problems_with(subject, statement)
        written = [other.seq for other, _ in subject.record.results("write-artifact") if other.step == line.step]
        if any(seq > statement.line.seq for seq in written):
            yield f"something was made after {sign_off.name} signed (line {line.seq})"


def problems_with_confirmations(subject: Subject) -> Iterator[str]:
    """The confirmer signed in each step that makes or uses the root or changes activation; both people signed each override."""
    statements = statements_in(subject.record)
    for statement in statements:
        if statement.context not in (SIGN_OFF, CONFIRMATION, OVERRIDE):
            yield f"line {statement.line.seq} is a signature of something else"
        if statement.context != SIGN_OFF:
            yield from _problems_with(subject, statement)
    confirmations = [statement for statement in statements if statement.context == CONFIRMATION]
    answers = [(line, data_as(Answered, line)) for line in subject.record.of_type("confirmed", "ordered")]
    for statement in confirmations:
        if not any(_backs(statement, line, answer) for line, answer in answers):
            yield f"line {statement.line.seq} is the signature of an answer that was not given before it"
    for line, answer in answers:
        if _wants_signature(subject, line, answer) and not any(_backs(statement, line, answer) for statement in confirmations):
            yield f"the answer of {answer.name} in line {line.seq} is not signed with their credential"
    yield from _problems_with_missing_answers(subject, answers)
    yield from _problems_with_overrides(subject, [statement for statement in statements if statement.context == OVERRIDE])


def _backs(statement: Statement, line: Line, answer: Answered) -> bool:
    said = statement.asked.statement
    answered = (line.step, answer.by, answer.key, answer.value, answer.digest)
    signed = (said.get("step"), said.get("participant"), said.get("key"), said.get("value"), said.get("digest"))
    return line.seq < statement.line.seq and statement.line.step == line.step and signed == answered


def _wants_signature(subject: Subject, line: Line, answer: Answered) -> bool:
    """An order by somebody other than who acts in the step is a confirmation; so are the answers of `_backed_answers`."""
    steps = subject.script.steps
    if line.step is None or not 1 <= line.step <= len(steps):
        return False
    step = steps[line.step - 1]
    return (line.type == "ordered" and answer.by != step.actor) or (answer.key, answer.by) in _backed_answers(step.kind, step.confirm)


def _backed_answers(kind: str, confirm: tuple[str, ...]) -> list[tuple[str, str]]:
    """The answers that must be there and signed, by key and person: of every confirmer of the root key, of the first of a PIN's making."""
    if kind == "generate-root":
        agreed = [("agree" if number == 0 else f"agree/{person}", person) for number, person in enumerate(confirm)]
        return agreed + [(f"seen/{person}", person) for person in confirm]
    return [("agree", confirm[0])] if kind in ("initialise-token", "change-activation") and confirm else []


def _problems_with_missing_answers(subject: Subject, answers: list[tuple[Line, Answered]]) -> Iterator[str]:
    finished = {line.step for line in subject.record.of_type("step-finished")}
    for number, step in enumerate(subject.script.steps, 1):
        for key, by in _backed_answers(step.kind, step.confirm) if number in finished else ():
            if not any((line.step, answer.key, answer.by) == (number, key, by) for line, answer in answers):
                yield f"{by} did not confirm step {number} ({step.kind}): {key}"


def _problems_with_overrides(subject: Subject, statements: list[Statement]) -> Iterator[str]:
    for line in subject.record.of_type("deviation"):
        deviation = data_as(Deviation, line)
        signed = {
            statement.asked.participant
            for statement in statements
            if statement.line.step == line.step
            and statement.line.seq < line.seq
            and statement.asked.statement.get("text") == deviation.text
        }
        for person in deviation.by if deviation.kind == "override" else ():
            if person.id not in signed:
                yield f"the override in line {line.seq} is not signed with the credential of {person.name}"


def _problems_with(subject: Subject, statement: Statement) -> Iterator[str]:
    """Signature, credential, person, role, and the line that it is bound to."""
    record, asked, made = subject.record, statement.asked, statement.made
    who = f"the signature of {asked.name} (line {statement.line.seq})"
    place = next((person for person in subject.script.participants if person.id == asked.participant), None)
    present = record.products(statement.line.step).people.get(asked.participant)
    if place is None or present is None or (present.name, present.role) != (asked.name, place.role) or asked.name not in place.credentials:
        yield f"{who} is in the name of somebody who was not called as such"
        return
    made_up = record.opened.credentials.get(asked.participant, {})
    expected = made_up.get(asked.name) if record.opened.rehearsal else place.credentials[asked.name]
    if expected is None or {asked.credential, made.credential} != {expected}:
        yield f"{who} is with a credential that the roster does not give them"
        return
    said = asked.statement
    about = (said.get("ceremony"), said.get("rehearsal"), said.get("participant"), said.get("name"), said.get("role"))
    if about != (record.opened.ceremony, record.opened.rehearsal, asked.participant, present.name, present.role):
        yield f"{who} is about another ceremony, person or role"
    if made.line != statement.line.prev:
        yield f"{who} is not over the line before it"
    if not _holds(expected, statement):
        yield f"{who} does not verify"


def _holds(credential: str, statement: Statement) -> bool:
    try:
        signature = bytes.fromhex(statement.made.signature)
        return signature_holds(credential, signed_octets(statement.asked.statement, statement.made.line), signature)
    except (ValueError, NotCanonical, msgspec.ValidationError):
        return False


def unusual_sign_offs(subject: Subject) -> list[str]:
    """Sign-offs of the last seal that are not as written: `--no-deviations` does not let them pass."""
    return [f"signed off {said.statement} by {said.name}" for _, said in sign_offs(subject) if said.statement != "as-written"]
