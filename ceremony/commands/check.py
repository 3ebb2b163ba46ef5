"""ceremony check SCRIPT: is the script sound, and what would happen?"""

import argparse
import textwrap
from pathlib import Path
from typing import Any

from ceremony.activation.roster import words_of_credential
from ceremony.commands.files import print_json, read_script_file
from ceremony.pki.names import shown_text
from ceremony.said import digest_lines
from ceremony.script import Script, ScriptRefused, certificates_planned, read_script, script_digest
from ceremony.words import words_of

_COLUMNS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SCRIPT and --json."""
    parser.add_argument("script", type=Path, metavar="SCRIPT")
    parser.add_argument("--json", action="store_true", help="the plan, or the problems, as JSON")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Prints the plan; raises ScriptRefused with every problem."""
    octets = read_script_file(args.script)
    digest = script_digest(octets)
    try:
        script = read_script(octets)
    except ScriptRefused as refused:
        if args.json:
            problems = [problem._asdict() for problem in refused.problems]
            print_json({"format": 1, "sound": False, "sha256": digest, "problems": problems})
            return int(refused.exit_code)
        raise
    if args.json:
        print_json({"format": 1, "sound": True, "sha256": digest, "words": words_of(digest), **_plan(script)})
        return 0
    print(*plan_lines(script, digest), sep="\n")
    return 0


def plan_lines(script: Script, digest: str) -> list[str]:
    """The plan as lines of at most 100 columns: people, steps, certificates, digest."""
    plan = _plan(script)
    days = (script.window.last - script.window.first).days + 1
    lines = [shown_text(script.title), f"Policy {script.policy}, evidence: {script.evidence}"]
    lines.append(f"May run from {script.window.first} to {script.window.last} ({days} days)")
    lines += map(shown_text, script.backup.lines())
    if script.image_sha256:
        lines.append("Only on the ceremony machine whose image tells this digest")
        lines += [f"  {line}" for line in digest_lines(script.image_sha256)]
    if script.previous and script.previous.lost:
        lines += ["", *script.previous.lost.lines()]
    lines += ["", "People"]
    for person in script.participants:
        lines.append(f"  {person.id:14} {shown_text(person.name)}, {person.role}")
        lines += _credential_lines(person.credential)
        for alternate in person.alternates:
            lines += [f"  {'':14} or {shown_text(alternate.name)}, who stands in", *_credential_lines(alternate.credential)]
    lines += ["", "PINs", *(f"  {shown_text(line)}" for line in script.activation.lines())]
    if script.activation.before:
        lines += ["PINs when the ceremony begins", *(f"  {shown_text(line)}" for line in script.activation.lines(before=True))]
    lines += ["", "Steps"]
    for step in plan["steps"]:
        confirmed = f", confirmed by {', '.join(step['confirm'])}" if step["confirm"] else ""
        lines.append(f"  {step['number']:2}  {step['kind']:18} {shown_text(step['title'])} ({step['actor']}{confirmed})")
    lines += ["", "Certificates, as they would be on the first day"]
    for certificate in plan["certificates"]:
        lines += [f"  {certificate['title']}", *(f"    {line}" for line in certificate["lines"])]
    lines += ["", "SHA-256 of the script: this is what people approve", *digest_lines(digest)]
    return [part for line in lines for part in _wrapped(line)]


def _credential_lines(credential: str | None) -> list[str]:
    """A credential and its words, as they stand on its owner's card."""
    return [] if credential is None else [f"    {credential}", f"      {' '.join(words_of_credential(credential))}"]


def _wrapped(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, _COLUMNS, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _plan(script: Script) -> dict[str, Any]:
    return {
        "id": script.id,
        "title": script.title,
        **({"image_sha256": script.image_sha256} if script.image_sha256 else {}),
        "window": {"from": script.window.first.isoformat(), "to": script.window.last.isoformat()},
        "participants": [
            {"id": person.id, "name": person.name, "role": person.role, "credential": person.credential} for person in script.participants
        ],
        "activation": list(script.activation.lines()),
        "activation_before": list(script.activation.lines(before=True)),
        "steps": [
            {"number": number, "kind": step.__struct_config__.tag, "title": step.title, "actor": step.actor, "confirm": list(step.confirm)}
            for number, step in enumerate(script.steps, 1)
        ],
        "certificates": [{"title": title, "lines": list(lines)} for title, lines in certificates_planned(script)],
    }
