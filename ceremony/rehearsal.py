"""Rehearsals: the same script on a throw-away token; a later script gets a made-up past, by a real first ceremony of its own."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import tomlkit

from ceremony.errors import CeremonyError
from ceremony.machine.site import Site
from ceremony.room.rehearsed import Rehearsed
from ceremony.script import Script, read_script
from ceremony.session import begun, serial_in_use
from ceremony.unattended import Unattended


def prepared(script: bytes, directory: Path, module: Path | None, removed: tuple[str, ...]) -> Rehearsed:
    """Token, media and, where `[previous]` asks for it, the past that a rehearsal of this script needs.

    Raises ScriptRefused, and CeremonyError when the past cannot be made.
    """
    model = read_script(script)
    rehearsed = Rehearsed.create(directory, module)
    return _with_past(script, model, directory, rehearsed, removed) if model.previous else rehearsed


def _with_past(script: bytes, model: Script, directory: Path, rehearsed: Rehearsed, removed: tuple[str, ...]) -> Rehearsed:
    past = directory / "work" / "rehearsal" / "past"
    outbox = past.with_name("past-outbox")
    outbox.mkdir(mode=0o700)
    first = dataclasses.replace(rehearsed, outbox=outbox)
    earlier = past_script(script, model)
    with begun(earlier, past, site=Site(), inbox=None, outbox=None, previous=None, removed=removed, rehearsed=first) as session:
        outcome = session.conduct(Unattended(None, lambda said: None))
        serial = serial_in_use(session.transcript.lines)
    if outcome.reason != "closed":
        raise CeremonyError("INTERNAL", f"The made-up past of this rehearsal did not end well: {outcome.text}", state="Nothing was begun.")
    said = (*rehearsed.made_up, "a first ceremony with a root of its own on this token; its bundle stands in for the one in [previous]")
    return dataclasses.replace(rehearsed, serial=serial, previous=past / "bundles" / "1", made_up=said)


def past_script(script: bytes, model: Script) -> bytes:
    """A script that makes the root which a later script starts from, by the same people on a blank token."""
    document: dict[str, Any] = tomllib.loads(script.decode())
    for table in ("previous", "profiles", "intermediates", "proofs"):
        document.pop(table, None)
    actor = next(participant.id for participant in model.participants if participant.role == "administrator")
    confirm = next(participant.id for participant in model.participants if participant.role not in ("administrator", "observer"))
    document["id"] = f"past-{model.id}"[:64]
    document["title"] = f"Made-up past of: {model.title}"
    document["world"] = {"token": "blank", "root": "absent"}
    kinds = ("roll-call", "check-clock", "check-machine", "initialise-token", "unlock", "generate-root", "unlock", "certify-root", "close")
    document["steps"] = [{"kind": kind, "title": kind, "actor": actor, "confirm": [confirm]} for kind in kinds]
    document["steps"][3]["label"] = "rehearsal"
    return tomlkit.dumps(document).encode()
