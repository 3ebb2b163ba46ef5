"""ceremony factory status DIR: what is in an intermediate's folder, and whether its certificate can issue today. Opens no key."""

import argparse
import datetime as dt
from pathlib import Path
from typing import Any

from ceremony.commands.files import print_json
from ceremony.errors import CeremonyError, ExitCode
from ceremony.words import grouped, words_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Prints it; 1 when the certificate that was accepted can't issue now."""
    facts = _facts(args.dir)
    if args.json:
        print_json(facts)
    else:
        print("\n".join(_lines(facts)))
    return int(ExitCode.CHECK_FAILED if facts["problems"] else ExitCode.DONE)


def _facts(folder: Path) -> dict[str, Any]:
    import msgspec

    from ceremony.factory.folder import read_accepted, read_factory
    from ceremony.factory.issuer import problems_with_issuer
    from ceremony.pki.profiles import utc_text

    factory, now = read_factory(folder), dt.datetime.now(dt.UTC)
    facts: dict[str, Any] = {
        "format": 1,
        "name": factory.name,
        "subject": factory.subject,
        "key_type": factory.key_type,
        "key": msgspec.to_builtins(factory.key),
        "spki_sha256": factory.spki_sha256,
        "made_at": factory.made_at,
        "accepted": None,
        "problems": [],
    }
    try:
        accepted = read_accepted(folder)
    except CeremonyError as waiting:
        if waiting.code != "FACTORY-NOT-ACCEPTED":
            raise
        return facts
    facts["accepted"] = {
        "rehearsal": accepted.rehearsal,
        "not_after": utc_text(accepted.certificate.not_valid_after_utc),
        "days_left": (accepted.certificate.not_valid_after_utc - now).days,
        "root_fingerprint": accepted.root_fingerprint,
        "bundle_fingerprint": accepted.bundle_fingerprint,
    }
    facts["problems"] = problems_with_issuer(accepted.certificate, accepted.root, now)
    return facts


def _lines(facts: dict[str, Any]) -> list[str]:
    from ceremony.pki.names import shown_text

    key, accepted = facts["key"], facts["accepted"]
    where = key["path"] if key["kind"] == "file" else f"token {key['serial']}, label {key['label']}, id {key['key_id']}"
    lines = [
        f"{facts['name']}: {facts['subject']}",
        f"  key: {facts['key_type']}, {where}",
        f"  SHA-256 of the key: {grouped(facts['spki_sha256'])}",
        f"    {' '.join(words_of(facts['spki_sha256'])[:16])}",
    ]
    if accepted is None:
        lines.append("  no certificate yet: after the ceremony, `ceremony factory accept DIR BUNDLE --fingerprint F`")
    else:
        mode = "REHEARSAL" if accepted["rehearsal"] else "PRODUCTION"
        lines.append(f"  {mode} certificate until {accepted['not_after']}, {accepted['days_left']} days left")
        lines += [f"  ! {problem}" for problem in facts["problems"]]
    return [shown_text(line) for line in lines]
