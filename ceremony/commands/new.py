"""ceremony new FILE: a script of one's own from a shipped one, by a few questions. Comments of the shipped one stay."""

import argparse
import datetime as dt
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tomlkit

from ceremony.activation.credential_file import LARGEST_FILE, credential_in
from ceremony.activation.roster import example_credential, is_example, public_key_of
from ceremony.commands.files import say, write_file
from ceremony.errors import CeremonyError
from ceremony.pki.names import parse_name, shown_text
from ceremony.pki.profiles import ProfileTable
from ceremony.pki.revocation import REASONS
from ceremony.said import digest_lines
from ceremony.script import read_script, script_digest
from ceremony.shipped import path_of

_A_YEAR_AND_SOME_WEEKS = 390
_EXAMPLE = "Example Devices"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SERIAL = re.compile(r"[0-9a-f]{40}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to and from which script."""
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--from", dest="source", default="first-ceremony", metavar="NAME", help="a shipped script (default: first-ceremony)"
    )


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Asks, checks, writes. Nothing is written before everything holds."""
    if args.file.exists():
        raise CeremonyError("FILE-EXISTS", f"{args.file} is there already.", state="It was not changed.")
    document = tomlkit.parse(path_of(args.source).read_text(encoding="utf-8"))
    say(f"A script from {args.source}. Enter alone takes what stands in brackets.", "")
    _asked(document)
    octets = tomlkit.dumps(document).encode()
    script = read_script(octets)
    write_file(args.file, octets)
    say(
        "",
        f"{args.file} was written and holds. Read it, change what is said aloud, then:",
        f"  ceremony check {args.file}",
        f"  ceremony rehearse {args.file}",
        "",
        "SHA-256 of the script as it is now:",
        *digest_lines(script_digest(octets)),
    )
    if examples := [name for name, credential in script.roster() if is_example(credential)]:
        say("", f"Without a credential of their own yet: {', '.join(examples)}. It rehearses; a ceremony is refused until each has one:")
        say("  ceremony credential new NAME -o FILE")
    return 0


_BACKUP = {
    "reason": "There is no backup of the key. Why is that borne?",
    "owner": "Who owns that risk?",
    "tool": "The vendor's tool that copies the key",
    "version": "Its version",
    "domain": "The security domain inside which it copies",
    "label": "Label of the twin root (small letters, digits, . _ -)",
}


def _asked(document: Any) -> None:
    document["id"] = _ask("Short name of the ceremony (small letters, digits, hyphens)", document["id"], _a_name)
    document["title"] = _ask("Title", document["title"], _some_text)
    window = document["window"]
    window["from"] = _ask("First day on which it may be held (YYYY-MM-DD)", window["from"].isoformat(), _a_day)
    window["to"] = _ask("Last day", max(window["to"], window["from"]).isoformat(), _day_from(window["from"]))
    root = document["root"]
    root["subject"] = _ask("Subject of the root", root["subject"], _a_subject)
    usual = root["label"] if "roll_over" in document else _label_of(root["subject"])
    # Where the script makes the twin itself, the twin is the root that was just named.
    makes_the_twin = document["backup"].get("label") == root["label"]
    root["label"] = _ask("Label of the root key and file (small letters, digits, . _ -)", usual, _a_name)
    if makes_the_twin:
        document["backup"]["label"] = root["label"]
    root["not_after"] = _ask("Last moment of the root (YYYY-MM-DD, 00:00 UTC)", root["not_after"].date().isoformat(), _an_end(window["to"]))
    if "roll_over" in document:
        _asked_of_the_old_root(document["roll_over"], root, window["to"])
    for table in document.get("profiles", {}).values():
        table["subject"] = _ask("Subjects that intermediates may have (* for any value)", table["subject"], _a_pattern)
        latest = min(table["not_after"].date(), root["not_after"].date()).isoformat()
        table["not_after"] = _ask("Last moment of the intermediates (YYYY-MM-DD)", latest, _an_end(window["to"], root["not_after"]))
    if "intermediates" in document:
        first = document["intermediates"][0]
        names = _ask("Names of the intermediates, with commas", ", ".join(entry["name"] for entry in document["intermediates"]), _names)
        entries = [{"name": name, "profile": first["profile"]} for name in names]
        before = {entry["name"]: entry for entry in document["intermediates"]}
        renewed = any("reissue" not in entry for entry in before.values())
        for entry in entries if "reissue" in first else ():
            question = f"Serial of the certificate that is issued anew as {entry['name']}, from the ledger (40 hex digits)"
            usual = before.get(entry["name"], {} if renewed else first).get("reissue", "-")
            serial = _ask(question + ", or - for a new key" * renewed, usual, _a_serial_or_none if renewed else _a_serial)
            entry |= {"reissue": serial} if serial else {}
        document["intermediates"] = _tables(entries)
    if "proofs" in document:
        services = _ask(
            "Device Provisioning Services to prove possession to, with commas",
            ", ".join(entry["service"] for entry in document["proofs"]),
            _names,
        )
        document["proofs"] = _tables([{"service": service, "certificate": root["label"]} for service in services])
    if "crl" in document:
        usual = max(document["crl"]["next_update"].date(), window["to"] + dt.timedelta(days=_A_YEAR_AND_SOME_WEEKS)).isoformat()
        question = "Until when the CRL holds (YYYY-MM-DD, 00:00 UTC)"
        document["crl"]["next_update"] = _ask(question, usual, _an_end(window["to"], root["not_after"]))
    if "revoke" in document:
        first = document["revoke"][0]
        names = _ask("Intermediates to revoke, with commas", ", ".join(entry["name"] for entry in document["revoke"]), _names)
        reason = _ask(f"Why ({', '.join(REASONS)})", first["reason"], _a_reason)
        note = _ask("Note that is shown with the order", "-", _a_note)
        document["revoke"] = _tables([{"name": name, "reason": reason} | ({"note": note} if note else {}) for name in names])
    examples = map(example_credential, itertools.count(1))
    for person in document["participants"]:
        person["name"] = _ask(f"Name of the {person['role']} ({person['id']})", person["name"], _some_text)
        person["credential"] = _credential_of(person["name"], examples)
        alternates = _ask(f"Alternates of {person['name']}, with commas, or -", "-", _list_of_people)
        person.pop("alternates", None)
        if alternates:
            person["alternates"] = [_table_of(name=name, credential=_credential_of(name, examples)) for name in alternates]
    for step in document["steps"]:
        if "say" in step and _EXAMPLE in step["say"]:
            step["say"] = tomlkit.string(step["say"].replace(_EXAMPLE, _organisation(root["subject"], document["title"])), multiline=True)
    backup = document["backup"]
    for key, question in _BACKUP.items():
        if key in backup:
            backup[key] = _ask(question, backup[key], _some_text)
    if "holders" in backup:
        backup["holders"] = _ask("Who has the domain's cards, keys or shares, with commas", ", ".join(backup["holders"]), _list_of_people)
    if "by" in backup:
        backup["by"] = _ask("Last day by which it is proved (YYYY-MM-DD)", backup["by"].isoformat(), _a_day)
    if "previous" in document:
        document["previous"]["fingerprint"] = _ask(
            "Fingerprint of the last ceremony, from paper (hex or words)", document["previous"]["fingerprint"], _a_fingerprint
        )


def _credential_of(name: str, examples: Iterator[str]) -> str:
    return str(_ask(f"Credential of {name}: its file, or its text from the card", next(examples), _a_credential))


def _table_of(**entries: str) -> Any:
    table = tomlkit.inline_table()
    table.update(entries)
    return table


def _tables(entries: list[dict[str, str]]) -> Any:
    tables = tomlkit.aot()
    for entry in entries:
        table = tomlkit.item(entry)
        table.add(tomlkit.nl())
        tables.append(table)
    return tables


def _ask(question: str, usual: str, check: Callable[[str], Any]) -> Any:
    while True:
        print(f"{shown_text(question)} [{shown_text(str(usual))}]: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise CeremonyError("USAGE", "The input ended before the last question.", state="Nothing was written.")
        try:
            return check(line.strip() or str(usual))
        except (ValueError, CeremonyError) as wrong:
            say(f"  {wrong}")


def _a_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("1 to 64 small letters, digits, and . _ - after the first.")
    return text


def _a_serial(text: str) -> str:
    if not _SERIAL.fullmatch(text):
        raise ValueError("40 hex digits, in small letters.")
    return text


def _a_serial_or_none(text: str) -> str:
    return "" if text == "-" else _a_serial(text)


def _asked_of_the_old_root(table: Any, root: Any, last_day: dt.date) -> None:
    """What `[roll_over]` says: copied from the old root's certificate, but for the overlap."""
    table["label"] = _ask("Label of the old root", table["label"], _a_name)
    table["subject"] = _ask("Subject of the old root", root["subject"], _a_subject)
    ends = _ask("Last moment of the old root (YYYY-MM-DD)", table["not_after"].date().isoformat(), _an_end(last_day, root["not_after"]))
    table["not_after"] = ends
    usual = min(table["overlap_until"].date(), ends.date()).isoformat()
    table["overlap_until"] = _ask("Until when both roots hold side by side (YYYY-MM-DD)", usual, _an_end(last_day, ends))


def _names(text: str) -> list[str]:
    names = [_a_name(name.strip()) for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise ValueError("At least one name, each once.")
    return names


def _some_text(text: str) -> str:
    if not text or len(text) > 100 or not text.isprintable():
        raise ValueError("1 to 100 printable characters.")
    return text


def _a_reason(text: str) -> str:
    if text not in REASONS:
        raise ValueError(f"One of {', '.join(REASONS)}.")
    return text


def _a_note(text: str) -> str:
    return "" if text == "-" else _some_text(text)


def _list_of_people(text: str) -> list[str]:
    return [] if text == "-" else [_some_text(name.strip()) for name in text.split(",") if name.strip()]


def _a_subject(text: str) -> str:
    parse_name(text)
    return text


def _a_pattern(text: str) -> str:
    parse_name(text.replace("*", "any"))
    return ProfileTable(not_after=dt.datetime.now(dt.UTC), subject=text).subject


def _a_day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def _day_from(first: dt.date) -> Callable[[str], dt.date]:
    def day(text: str) -> dt.date:
        if (last := _a_day(text)) < first:
            raise ValueError(f"Not before {first}.")
        return last

    return day


def _an_end(after: dt.date, latest: dt.datetime | None = None) -> Callable[[str], dt.datetime]:
    def end(text: str) -> dt.datetime:
        day = _a_day(text)
        moment = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        if day <= after:
            raise ValueError(f"Later than {after}.")
        if latest is not None and moment > latest:
            raise ValueError(f"Not later than the root: {latest.date()}.")
        return moment

    return end


def _a_credential(text: str) -> str:
    if ":" not in text or "/" in text:
        try:
            with Path(text).open("rb") as file:
                return credential_in(file.read(LARGEST_FILE + 1))
        except OSError as failed:
            raise ValueError(f"{text}: {failed.strerror}.") from failed
    public_key_of(text)
    return text


def _a_fingerprint(text: str) -> str:
    from ceremony.words import fingerprint_typed

    return fingerprint_typed(text)


def _organisation(subject: str, title: str) -> str:
    return next((part.partition("=")[2] for part in subject.split(",") if part.strip().upper().startswith("O=")), title)


def _label_of(subject: str) -> str:
    name = next((part.partition("=")[2] for part in subject.split(",") if part.strip().upper().startswith("CN=")), "root")
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "root"
