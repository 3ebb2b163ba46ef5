"""What one line of the record says, in words. Nothing of a line is passed over: what has no words of its own is listed as it stands."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from ceremony.crossing.record import Sealed, data_as
from ceremony.pki.names import shown_text
from ceremony.report.blocks import Event
from ceremony.report.record import Answered, Deviation, Intended, Recovered, Resulted, SignedOff
from ceremony.transcript import Line
from ceremony.words import sha256_hex

LONGEST_TEXT = 300
"""A text of the record longer than this many characters, or of several lines, is told by its length and digest."""

AS_OPENED = "as in line 1"
_WORTH_REFERRING = 6
STATEMENTS = {"as-written": "done as written", "with-deviations": "done with deviations", "refused": "REFUSED to sign off"}
RECOVERIES = {
    "adopted": "its outcome was found and adopted",
    "done-again": "nothing of it was found, and it was done again",
    "signed-again": "the same bytes were ordered and signed again",
    "given-up": "given up: a signature may exist that is not in this record",
    "destroyed": "what it left was destroyed, and it was done anew",
}
_SIGN_OFF_TOLD = {"participant", "name", "role", "statement", "note"}
_TOLD_ELSEWHERE = {
    "attributes": "each stands in the chapter on keys",
    "packages": "each stands in the chapter on machine and software",
    "requests": "each stands in the chapter on what came in",
}


def events_of(lines: Iterable[Line], opened: Mapping[str, Any]) -> tuple[Event, ...]:
    """The lines as events, in their order; the date stands where it differs from the event before.

    `opened` is the data of the first line: what a `resumed` line repeats of it is not listed again.
    """
    events, date = [], ""
    told: dict[str, int] = {}
    for line in lines:
        if line.type == "resumed":
            line = line._replace(data={key: AS_OPENED if value and value == opened.get(key) else value for key, value in line.data.items()})
        day, _, clock = line.time.rstrip("Z").partition("T")
        text, details, trouble, who = _TELL[line.type](line)
        details = _once(tuple(details), line.seq, told)
        events.append(Event(line.seq, clock if day == date else f"{day} {clock}", who or line.actor or "program", text, details, trouble))
        date = day
    return tuple(events)


def _once(details: tuple[str, ...], seq: int, told: dict[str, int]) -> tuple[str, ...]:
    """Particulars that an earlier line has word for word are told by that line's number: tokens say the same again and again."""
    if len(details) < _WORTH_REFERRING:
        return details
    first = told.setdefault("\n".join(details), seq)
    return details if first == seq else (f"the same as in line {first}",)


def listed(value: Any, name: str = "", *, shown: Callable[[str], str] = shown_text) -> list[str]:
    """A JSON value as lines `name: value`, names of nested values joined by dots. Long texts become length and SHA-256.

    What machines, media and modules say is foreign text: it stands in ASCII also on paper. `shown` is `printed_text` for what
    the script says.
    """
    match value:
        case dict():
            told = ((key, item) for key, item in value.items() if key not in _TOLD_ELSEWHERE)
            more = [f"{_joined(name, key)}: {_TOLD_ELSEWHERE[key]}" for key in value if key in _TOLD_ELSEWHERE]
            return [line for key, item in told for line in listed(item, _joined(name, key), shown=shown)] + more
        case list() | tuple() if any(isinstance(item, dict | list) for item in value):
            return [f"{name} {number}: {'; '.join(listed(item, shown=shown))}".strip() for number, item in enumerate(value, 1)]
    return [f"{name}: {_scalar(value, shown)}" if name else _scalar(value, shown)]


def _joined(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _scalar(value: Any, shown: Callable[[str], str]) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(_scalar(item, shown) for item in value) or "none"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case str() if len(value) > LONGEST_TEXT or "\n" in value:
            return f"{len(value)} characters, SHA-256 of their UTF-8: {sha256_hex(value.encode())}"
    return shown(str(value))


_Told = tuple[str, Iterable[str], bool, str]


def _opened(line: Line) -> _Told:
    return "The ceremony is opened.", listed(line.data), False, ""


def _resumed(line: Line) -> _Told:
    torn = line.data.get("torn")
    text = "The ceremony is resumed." if torn is None else "The ceremony is resumed; a last line that had not been announced was set aside."
    return text, listed(line.data), torn is not None, ""


def _step_started(line: Line) -> _Told:
    return "The step begins.", (), False, ""


def _step_finished(line: Line) -> _Told:
    products = line.data.get("products") or {}
    plain = {key: value for key, value in products.items() if not isinstance(value, dict | list)}
    others = [key for key in products if key not in plain]
    return "The step ends.", [*(listed(plain) if plain else ()), *([f"for later steps: {', '.join(others)}"] if others else [])], False, ""


def _answered(verb: str) -> Callable[[Line], _Told]:
    def tell(line: Line) -> _Told:
        answer = data_as(Answered, line)
        digest = [f"digest: {answer.digest}"] if answer.digest else []
        return verb, [f"asked: {answer.text}", f"answer: {answer.value}", *digest], False, f"{answer.by}: {answer.name} ({answer.role})"

    return tell


def _intended(line: Line) -> _Told:
    intent = data_as(Intended, line)
    return f"About to do: {intent.verb}", listed(intent.args), False, ""


def _resulted(line: Line) -> _Told:
    result = data_as(Resulted, line)
    if result.error:
        return f"FAILED: {result.verb}", [f"{result.error.code}: {result.error.what}"], True, ""
    return f"Done: {result.verb}", [*(listed(result.value) if result.value else ())], False, ""


def _recovered(line: Line) -> _Told:
    recovered = data_as(Recovered, line)
    more = {key: value for key, value in line.data.items() if key not in ("key", "verb", "how")}
    return (
        f"After an interruption of {recovered.verb}: {RECOVERIES.get(recovered.how, recovered.how)}.",
        listed(more) if more else (),
        True,
        "",
    )


def _deviation(line: Line) -> _Told:
    deviation = data_as(Deviation, line)
    return f"DEVIATION ({deviation.kind})", [deviation.text], True, ", ".join(f"{person.id}: {person.name}" for person in deviation.by)


def _signed_off(line: Line) -> _Told:
    signed = data_as(SignedOff, line)
    more = {key: value for key, value in line.data.items() if key not in _SIGN_OFF_TOLD and value not in (None, "")}
    text = f"Sign-off: {STATEMENTS.get(signed.statement, signed.statement)}"
    note = [f"note: {signed.note}"] if signed.note else []
    return text, [*note, *listed(more)], signed.statement != "as-written", f"{signed.participant}: {signed.name} ({signed.role})"


def _sealed(line: Line) -> _Told:
    seal = data_as(Sealed, line)
    artifacts = [f"{artifact.path}: SHA-256 {artifact.sha256}" for artifact in seal.artifacts]
    text = f"Sealed as bundle {seal.bundle}, with {len(seal.artifacts)} artifacts. The digest of this line is the fingerprint."
    return text, [*artifacts, f"fingerprint: {line.sha256}"], False, ""


def _paused(line: Line) -> _Told:
    reason = line.data.get("reason")
    more = {key: value for key, value in line.data.items() if key not in ("reason",) and value}
    return f"Paused ({reason}).", listed(more) if more else (), reason not in ("crossing", "operator"), ""


def _aborted(line: Line) -> _Told:
    return "ABORTED.", listed(line.data), True, ""


def _closed(line: Line) -> _Told:
    return "The ceremony is closed.", listed(line.data), False, ""


_TELL: dict[str, Callable[[Line], _Told]] = {
    "opened": _opened,
    "resumed": _resumed,
    "step-started": _step_started,
    "step-finished": _step_finished,
    "confirmed": _answered("Confirmed."),
    "ordered": _answered("ORDERED."),
    "intent": _intended,
    "result": _resulted,
    "recovered": _recovered,
    "deviation": _deviation,
    "signed-off": _signed_off,
    "sealed": _sealed,
    "paused": _paused,
    "aborted": _aborted,
    "closed": _closed,
}
