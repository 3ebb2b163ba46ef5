"""What `verify` asks of the record: its chain, its seals, its steps, orders and deviations."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from ceremony.crossing.bundle import SCRIPT
from ceremony.crossing.record import Act, Answered, Artifact, Deviation, MachineChecked, MachineTold, Recovered, Resumed, data_as
from ceremony.crossing.subject import Subject
from ceremony.pki.batch import BatchItem, batch_digest
from ceremony.pki.names import is_rehearsal_name
from ceremony.transcript import Line
from ceremony.words import sha256_hex, words_of


def problems_with_chain(subject: Subject) -> Iterator[str]:
    """The first line hangs on the previous ceremony's fingerprint, or on the script; each other was read as following the one before."""
    opened, first = subject.record.opened, subject.record.lines[0]
    if first.prev != (opened.previous.fingerprint if opened.previous else opened.script.sha256):
        yield "the first line follows neither the script nor the previous ceremony's fingerprint"
    named = subject.script.previous
    if bool(named) != bool(opened.previous):
        yield "script and record differ in whether there was a ceremony before"
    elif named and opened.previous and named.fingerprint != opened.previous.fingerprint and not opened.rehearsal:
        yield "the script names another previous ceremony than the record"


def problems_with_script(subject: Subject) -> Iterator[str]:
    """The script is the one that the first line names."""
    if sha256_hex(subject.files[SCRIPT]) != subject.record.opened.script.sha256:
        yield f"{SCRIPT} is not the script whose digest stands in the first line"


def problems_with_seal(subject: Subject) -> Iterator[str]:
    """Seals are numbered, each names the one before, and each holds all that the one before held."""
    opened = subject.record.opened
    before: Line | None = None
    held: set[Artifact] = set()
    for number, (line, sealed) in enumerate(subject.record.seals, 1):
        if sealed.bundle != number:
            yield f"line {line.seq} seals bundle {sealed.bundle}, not {number}"
        if sealed.previous_seal != (before.sha256 if before else None):
            yield f"line {line.seq} does not name the seal before it"
        if (sealed.ceremony, sealed.rehearsal) != (opened.ceremony, opened.rehearsal):
            yield f"line {line.seq} seals another ceremony than line 1 opened"
        paths = [artifact.path for artifact in sealed.artifacts]
        if len(set(paths)) != len(paths):
            yield f"line {line.seq} lists a file twice"
        if lost := held - set(sealed.artifacts):
            yield f"line {line.seq} leaves out what an earlier bundle held: {', '.join(sorted(artifact.path for artifact in lost))}"
        if sealed.root_certificate_sha256 not in (None, subject.record.sealed.root_certificate_sha256):
            yield f"line {line.seq} names another root certificate than the last seal"
        before, held = line, set(sealed.artifacts)
    for line in subject.record.of_type("aborted", "closed"):
        yield f"line {line.seq} ends the ceremony before its seal"


def problems_with_steps(subject: Subject) -> Iterator[str]:
    """Every step of the script up to the seal began and ended, once, in the script's order (design, rule 10)."""
    expected = 1
    for line in subject.record.of_type("step-started", "step-finished"):
        if line.step != expected or expected > len(subject.script.steps):
            yield f"line {line.seq} is about step {line.step}; step {expected} is next"
            return
        step = subject.script.steps[expected - 1]
        if line.type == "step-finished":
            expected += 1
        elif (line.data.get("kind"), line.data.get("title")) != (step.kind, step.title):
            yield f"line {line.seq} begins another step than the script's step {expected}"
    sealed_in = subject.record.lines[-1].step
    if sealed_in != expected:
        yield f"the seal belongs to step {sealed_in}; step {expected} is open"
    running = 0
    for line in subject.record.lines:
        if line.type == "step-started":
            running = line.step or 0
        if line.step is not None and line.step != running:
            yield f"line {line.seq} belongs to step {line.step}, while step {running} is open"


def problems_with_intents(subject: Subject) -> Iterator[str]:
    """Each result follows an intent of the same act in the same step, which no other result has ended (rule 7)."""
    open_intents: dict[tuple[int | None, str], str] = {}
    for line in subject.record.of_type("intent", "result"):
        act = data_as(Act, line)
        place = (line.step, act.key)
        if line.type == "intent":
            open_intents[place] = act.verb
        elif open_intents.pop(place, None) != act.verb:
            yield f"line {line.seq} is the result of an act that no line intends"


_CALLING = ("who/", "again/")
"""Questions of a roll-call whose answers may come before it is said who gives them."""


def problems_with_people(subject: Subject) -> Iterator[str]:
    """Every answer is from a participant of the script, under the name and in the role that the roll-call gave them."""
    places = {person.id: person for person in subject.script.participants}
    for line in subject.record.of_type("confirmed", "ordered"):
        answer = data_as(Answered, line)
        place, named = places.get(answer.by), _names_called(subject, line, answer)
        if place is None or line.actor != answer.by:
            yield f"line {line.seq} is the answer of {answer.by}, and stands in the name of {line.actor}"
        elif answer.role != place.role or answer.name not in (named or place.credentials):
            yield f"line {line.seq} is the answer of {answer.name} ({answer.role}), who was not called as such"


def _names_called(subject: Subject, line: Line, answer: Answered) -> set[str]:
    """What whoever answers was called by; in a roll-call the new name, where it was said already. Empty when nobody had called them."""
    steps, step = subject.script.steps, line.step or 0
    calls_the_roll = 0 < step <= len(steps) and steps[step - 1].kind == "roll-call"
    before = subject.record.products(line.step).people.get(answer.by)
    called = subject.record.products(step + 1).people.get(answer.by) if calls_the_roll else None
    if called is None or before is None and answer.key.startswith(_CALLING):
        return {before.name} if before else set()
    return {called.name, before.name} if before and answer.key.startswith(_CALLING) else {called.name}


def problems_with_resumptions(subject: Subject) -> Iterator[str]:
    """Each session began with a fingerprint from paper that is in the chain; what follows it was confirmed by two (rule 8)."""
    known: dict[str, int] = {}
    on_paper = False
    for line in subject.record.lines:
        if line.type == "resumed":
            resumed = data_as(Resumed, line)
            after = subject.record.lines[known.get(resumed.fingerprint_typed or "", 0) : line.seq - 1]
            if resumed.fingerprint_typed is None and on_paper:
                yield f"line {line.seq} goes on without a fingerprint from paper"
            elif resumed.fingerprint_typed is not None and resumed.fingerprint_typed not in known:
                yield f"line {line.seq} goes on from a fingerprint that is not in this record"
            elif (resumed.torn or not all(map(_is_receipt, after))) and len({person.id for person in resumed.confirmed_by}) < 2:
                yield f"line {line.seq} goes on after lines that were not confirmed by two people"
            on_paper = on_paper or resumed.fingerprint_typed is not None
        # A seal or pause that a crash kept from the screen is on no paper; what somebody typed from paper was.
        on_paper = on_paper or (line.type == "confirmed" and str(line.data.get("key")).startswith("paper/"))
        known[line.sha256] = line.seq


def _is_pause(line: Line) -> bool:
    return line.type == "paused" and line.data.get("reason") != "crossing"


def _is_receipt(line: Line) -> bool:
    """What may follow an export's fingerprint unconfirmed: writing it on paper, making and copying that bundle, the crossing."""
    if line.type == "confirmed":
        return str(line.data.get("key")).startswith("paper/")
    if line.type in ("intent", "result"):
        return line.data.get("verb") in ("make-bundle", "copy-out")
    return line.type == "paused" and not _is_pause(line)


def problems_with_window(subject: Subject) -> Iterator[str]:
    """The days that people agreed on lie in the script's window; a rehearsal may be held on any."""
    window = subject.script.window
    for line in subject.record.of_type("step-finished"):
        day = subject.record.products((line.step or 0) + 1).ceremony_day
        if day is not None and not window.first.isoformat() <= day <= window.last.isoformat() and not subject.record.opened.rehearsal:
            yield f"step {line.step} was held on {day}, outside the script's window"


def problems_with_orders(subject: Subject) -> Iterator[str]:
    """Each signature was ordered and confirmed before, by two people of its step, over exactly these bytes or this batch (rule 5)."""
    answers = [(line, data_as(Answered, line)) for line in subject.record.of_type("ordered")]
    for _, group in groupby(subject.record.signatures, key=lambda signature: (signature.line.step, signature.batch)):
        batch = list(group)
        items = [BatchItem(signature.name, signature.arguments.serial or "", signature.arguments.sha256) for signature in batch]
        digest = items[0].sha256 if len(items) == 1 else batch_digest(items)
        if len(items) > subject.script.max_batch:
            yield f"{len(items)} signatures under one order; the script allows {subject.script.max_batch}"
        first = batch[0].line
        ordered = [answer for line, answer in answers if line.step == first.step and line.seq < first.seq and answer.digest == digest]
        if not ordered_by_two(subject, first, digest, ordered):
            names = ", ".join(item.name for item in items)
            yield f"the signature of {names} (line {first.seq}) has no order and confirmation by two people of its step over its digest"
    yield from _problems_with_second_orders(subject, answers)


def _problems_with_second_orders(subject: Subject, answers: list[tuple[Line, Answered]]) -> Iterator[str]:
    """After an interruption the same bytes are signed after a new order, or given up; nothing else ends an open signature (rule 7)."""
    signatures = {(signature.line.step, signature.line.data["key"]): signature for signature in subject.record.signatures}
    given_up: set[str] = set()
    for line in subject.record.of_type("recovered"):
        recovered = data_as(Recovered, line)
        signature = signatures.get((line.step, recovered.key))
        if recovered.verb != "sign" or signature is None:
            continue
        digest = signature.arguments.sha256
        if recovered.how == "given-up":
            given_up.add(signature.arguments.identity)
        elif recovered.how == "signed-again":
            ordered = [
                answer
                for other, answer in answers
                if signature.line.seq < other.seq < line.seq and answer.digest == digest and answer.key.startswith(f"{recovered.key}/")
            ]
            if not ordered_by_two(subject, line, digest, ordered):
                yield f"the second signature of {signature.name} (line {line.seq}) has no new order by two people"
    for signature in subject.record.signatures:
        if signature.made is None:
            yield f"the outcome of the signature of {signature.name} (line {signature.line.seq}) is not in the record"
        elif signature.made.given_up != (signature.arguments.identity in given_up):
            yield f"the record differs in whether the signature of {signature.name} (line {signature.line.seq}) was given up"


def ordered_by_two(subject: Subject, line: Line, digest: str, ordered: Iterable[Answered]) -> bool:
    """Whether the first four words were typed by one person of the step, and the next four by another."""
    steps = dict(enumerate(subject.script.steps, 1))
    step = steps.get(line.step or 0)
    people = {step.actor, *step.confirm} if step else set()
    words = words_of(digest)
    by = [{answer.by for answer in ordered if answer.value.split() == part and answer.by in people} for part in (words[:4], words[4:8])]
    return any(orderer != confirmer for orderer in by[0] for confirmer in by[1])


def problems_with_machine_checks(subject: Subject) -> Iterator[str]:
    """Before each use of the root's key the machine was checked in the same step, and what was found was overridden (rule 9)."""
    checked: dict[int | None, list[tuple[Line, MachineChecked]]] = {}
    for line, value in subject.record.results("check-machine"):
        checked.setdefault(line.step, []).append((line, data_as(MachineChecked, line, value)))
    overrides = [line for line in subject.record.of_type("deviation") if data_as(Deviation, line).kind == "override"]
    for signature in subject.record.signatures:
        use = signature.line
        before = [(line, found) for line, found in checked.get(use.step, ()) if line.seq < use.seq]
        if not before:
            yield f"the machine was not checked before the signature of {signature.name} (line {use.seq})"
            continue
        line, found = before[-1]
        unfit = any(finding.verdict == "found" for finding in found.findings)
        overridden = any(other.step == use.step and line.seq < other.seq < use.seq for other in overrides)
        if unfit and not overridden and not subject.record.opened.rehearsal:
            yield f"the machine was not fit (line {line.seq}) when {signature.name} was signed (line {use.seq}), and nobody overrode that"


def images(subject: Subject) -> dict[int, str | None]:
    """By the number of each session's first line: SHA-256 (hex) of the ceremony machine's image, as told; None where none was."""
    return {line.seq: data_as(MachineTold, line).machine.image_sha256 for line in subject.record.of_type("opened", "resumed")}


def image_in_words(subject: Subject) -> str:
    """Which image the sessions ran on, as the machine told, and whether the script names one."""
    told = sorted({image or "none" for image in images(subject).values()})
    wanted = "as the script names it" if subject.script.tool else "the script names none"
    if subject.script.tool and told != [subject.script.tool.image_sha256]:
        wanted = f"the script names {subject.script.tool.image_sha256}, which a rehearsal may do without"
    return f"told by the machine of itself: {', '.join(told)}; {wanted}"


def problems_with_image(subject: Subject) -> Iterator[str]:
    """Each session of a ceremony ran on the image that the script names; a rehearsal may be held anywhere."""
    wanted = subject.script.tool.image_sha256 if subject.script.tool else None
    if wanted is None or subject.record.opened.rehearsal:
        return
    for number, told in images(subject).items():
        if told != wanted:
            yield f"the session of line {number} ran on {f'the image {told}' if told else 'no image that told its digest'}, not on {wanted}"


def problems_with_rehearsal(subject: Subject) -> Iterator[str]:
    """A rehearsal says so everywhere, and nothing else does (rule 14)."""
    opened = subject.record.opened
    if not opened.rehearsal and opened.credentials:
        yield "it says PRODUCTION, and line 1 holds credentials made up for a rehearsal"
    if not opened.rehearsal and opened.module and opened.module.software:
        yield "it says PRODUCTION, and its token was software"
    for line in subject.record.of_type("sealed", "signed-off"):
        if line.data.get("rehearsal") is not opened.rehearsal:
            yield f"line {line.seq} says otherwise than line 1 whether this is a rehearsal"
    for root in subject.of_kind("root-certificate"):
        if is_rehearsal_name(root.certificate.subject) != opened.rehearsal:
            yield f"the subject of {root.artifact.path} {'does not say' if opened.rehearsal else 'says'} REHEARSAL"


def deviations(subject: Subject) -> list[Deviation]:
    """What was not done as written."""
    return [data_as(Deviation, line) for line in subject.record.of_type("deviation")]


def problems_with_deviations(subject: Subject) -> Iterator[str]:
    """An override has two people of the script behind it, a note one (rule 10)."""
    known = {person.id for person in subject.script.participants}
    for deviation in deviations(subject):
        if len({person.id for person in deviation.by} & known) < (2 if deviation.kind == "override" else 1):
            yield f"the deviation {deviation.text!r} ({deviation.kind}) has too few people behind it"
