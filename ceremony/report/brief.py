"""What happened in a step, in short: an act and its outcome as one sentence, an answer without the rest of its line.

Nothing that was not as written is shortened. The full lines are told by `happened`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ceremony.activation.arrangement import PIN_NAMES
from ceremony.crossing.record import data_as
from ceremony.report.blocks import Event
from ceremony.report.happened import events_of
from ceremony.report.record import Answered, Intended, Resulted
from ceremony.transcript import Line

_FIRST_DIGITS = 16


def brief_events(lines: Sequence[Line]) -> tuple[Event, ...]:
    """The lines of one step; those that only frame it, and intents that have their outcome, are left out."""
    intents: dict[str, Mapping[str, Any]] = {}
    settled = {line.data.get("key") for line in lines if line.type == "result"}
    brief = []
    for line, event in zip(lines, events_of(lines, {}), strict=True):
        told: tuple[str, tuple[str, ...]] | None = (event.text, event.details)
        match line.type:
            case "step-started" | "step-finished":
                told = None
            case "confirmed" | "ordered":
                answer = data_as(Answered, line)
                ordered = "ORDERED: " if line.type == "ordered" else ""
                told = f"{ordered}\u201c{answer.value}\u201d", (answer.text,)
            case "intent":
                intent = data_as(Intended, line)
                intents[intent.key] = intent.args
                told = None if intent.key in settled else told
            case "signed-off":
                told = event.text, tuple(detail for detail in event.details if detail.startswith("note: "))
            case "sealed":
                told = event.text, (f"fingerprint: {line.sha256}",)
            case "result":
                result = data_as(Resulted, line)
                told = told if result.error else (_sentence(result, intents.get(result.key, {})), ())
        if told:
            time = event.time.rpartition(" ")[2]
            brief.append(Event(line.seq, time, event.who, told[0], told[1], event.trouble))
    return tuple(brief)


def _sentence(result: Resulted, args: Mapping[str, Any]) -> str:
    value = result.value if isinstance(result.value, dict) else {}
    tell = _SENTENCES.get(result.verb)
    return tell(value, args) if tell else f"Done: {result.verb}"


def _machine(value: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    findings = [finding for finding in value.get("findings", ()) if isinstance(finding, dict)]
    counted = Counter(str(finding.get("verdict")) for finding in findings)
    others = [f"{finding.get('check')} {finding.get('verdict')}" for finding in findings if finding.get("verdict") != "ok"]
    return f"Machine checked: {counted['ok']} of {len(findings)} in order" + (f"; {', '.join(others)}" if others else "")


def _token(value: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    return f"Token {value.get('label') or 'without a label'}, serial {value.get('serial') or 'none'}"


def _login(value: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    holders = args.get("holders")
    return f"Logged in with the shares of {', '.join(map(str, holders))}" if holders else "Logged in"


def _held_by(args: Mapping[str, Any]) -> str:
    holders = args.get("holders")
    return f"by {', '.join(map(str, holders))}" if isinstance(holders, list) and holders else ""


def _pin(args: Mapping[str, Any]) -> str:
    which = args.get("which")
    return f"The {PIN_NAMES[which]}" if which in PIN_NAMES else f"A PIN ({which})"


def _signed(value: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    if value.get("given_up"):
        return "GIVEN UP: a signature may exist"
    which = f"serial {args['serial']}" if args.get("serial") else f"CRL number {args.get('crl_number')}"
    return f"Signed on the token: {args.get('subject')}, {which}"


_SENTENCES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    "read-clock": lambda value, args: f"Clock read: {value.get('utc')}",
    "check-machine": _machine,
    "find-blank-token": _token,
    "initialise-token": lambda value, args: f"Taken into use: {_token(value, args)}",
    "adopt-token": lambda value, args: f"Adopted: {_token(value, args)}",
    "token-facts": _token,
    "login": _login,
    "lock": lambda value, args: "Logged out",
    "prove-activation": lambda value, args: f"{_pin(args)} proved {_held_by(args)}",
    "change-activation": lambda value, args: f"{_pin(args)} changed by {args.get('by')}, now held {_held_by(args)}",
    "random": lambda value, args: f"{args.get('length')} random bytes from the token, hashed with the system's",
    "serial-number": lambda value, args: f"Serial number {value.get('serial')}",
    "generate-key": lambda value, args: f"Key {value.get('label')} made on the token by {value.get('mechanism')}",
    "look-at-key": lambda value, args: f"Key {value.get('label')} looked at on the token, {len(value.get('objects') or ())} objects there",
    "take-token": lambda value, args: f"Gone over to the second token: {_token(value.get('token') or {}, args)}",
    "look-at-copy": lambda value, args: f"Copy {value.get('label')} looked at on the second token",
    "leave-token": lambda value, args: f"Back to the token {value.get('serial')}",
    "destroy-key": lambda value, args: f"Key {args.get('label')} DESTROYED on the token" + ", gone before" * (not value.get("was_there")),
    "look-at-token": lambda value, args: f"Everything on the token listed: {len(value.get('objects') or ())} objects",
    "wipe-token": lambda value, args: f"Token {args.get('serial')} WIPED",
    "list-objects": lambda value, args: f"{len(value.get('objects') or ())} objects on the token",
    "proof-key": lambda value, args: "A key for the proof made in memory, to be dropped",
    "store": lambda value, args: f"Bytes to be signed stored, SHA-256 {str(value.get('sha256'))[:_FIRST_DIGITS]}\u2026",
    "sign": _signed,
    "sign-statement": lambda value, args: f"{args.get('name')} signed with a credential of their own",
    "write-artifact": lambda value, args: f"Written: {value.get('path')}",
    "import-evidence": lambda value, args: f"Log {value.get('file')} came in, {value.get('size')} bytes",
    "import-request": lambda value, args: f"{len(value.get('requests') or ())} requests came in",
    "import-attestation": lambda value, args: "A vendor's attestation came in" + ", made up by this rehearsal" * bool(value.get("made_up")),
    "make-bundle": lambda value, args: f"Bundle {value.get('bundle')} made, {value.get('files')} files",
    "copy-out": lambda value, args: f"Copied to the medium, {value.get('files')} files" + ", read back" * bool(value.get("read_back")),
}
