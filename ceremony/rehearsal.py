"""Rehearsals: the same script on a throw-away token; a later script gets a made-up past, by a real first ceremony of its own."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from ceremony.activation.arrangement import Activation
from ceremony.engine.evidence import WITNESSING
from ceremony.errors import CeremonyError
from ceremony.machine.site import NO_SITE, Site
from ceremony.pki.revoking import stand_in_name
from ceremony.room.made_up import PAST
from ceremony.room.rehearsed import Rehearsed
from ceremony.room.rehearsed_paper import handed_down
from ceremony.room.vendor_copy import lose, serial_of_copy
from ceremony.script import Script, read_script
from ceremony.session import begun, serial_in_use
from ceremony.steps.record import Fact, Record
from ceremony.steps.report_loss import ReportLoss
from ceremony.unattended import Answers, Unattended


def prepared(script: bytes, directory: Path, module: Path | None, removed: tuple[str, ...], site: Site = NO_SITE) -> Rehearsed:
    """Token, media and, where `[previous]` asks for it, the past that a rehearsal of this script needs.

    Raises ScriptRefused, and CeremonyError when the past cannot be made.
    """
    model = read_script(script)
    rehearsed = Rehearsed.create(directory, module, site)
    return _with_past(script, model, directory, rehearsed, site, removed) if model.previous else rehearsed


def _with_past(script: bytes, model: Script, directory: Path, rehearsed: Rehearsed, site: Site, removed: tuple[str, ...]) -> Rehearsed:
    past = directory / PAST
    serial = _held(past_script(script, model), past, model, rehearsed, site, removed)
    handed_down(past, directory)
    where = "on this token" if model.taken_up else "on a token that is not here"
    said = (*rehearsed.made_up, f"a first ceremony with a root of its own {where}; its bundle stands in for the one in [previous]")
    said += tuple(f"what it put away last: {fact.name} ({fact.what}): {_MADE_UP[fact.what]}" for fact in _taken_out(model))
    if _loses_a_token(model):
        lost, serial = serial, serial_of_copy(serial)
        lose(rehearsed.environment, lost)
        said += (f"a copy of that token, which signed a CRL there, and the loss of the first one, {lost}",)
    if model.taken_up is None or _lost_root(model):
        rehearsed, serial = rehearsed.on_a_second_token(directory), ""
    if lost_root := _lost_root(model):
        twins = past.with_name("past-of-the-twin")
        before = dataclasses.replace(rehearsed, previous=past / "bundles" / "1")
        serial, past = _held(twin_script(script, model), twins, model, before, site, removed), twins
        said += (f"the twin {model.root.label} on a second token, and the loss of the token of {lost_root}",)
    return dataclasses.replace(rehearsed, serial=serial, previous=past / "bundles" / "1", made_up=said)


def _held(script: bytes, folder: Path, model: Script, rehearsed: Rehearsed, site: Site, removed: tuple[str, ...]) -> str:
    """Holds a ceremony of the made-up past, and returns the serial of its token."""
    outbox = folder.with_name(f"{folder.name}-outbox")
    outbox.mkdir(mode=0o700)
    first = dataclasses.replace(rehearsed, outbox=outbox)
    with begun(script, folder, site=site, inbox=None, outbox=None, previous=(), removed=removed, rehearsed=first) as session:
        kinds = tuple(str(step.__struct_config__.tag) for step in session.script.steps)
        given = _put_away(model) if b'custody = "put-away"' in script else {}
        outcome = session.conduct(Unattended(Answers(answers=given), lambda said: None, kinds=kinds))
        serial = serial_in_use(session.transcript.lines)
    if outcome.reason != "closed":
        raise CeremonyError("INTERNAL", f"The made-up past of this rehearsal did not end well: {outcome.text}", state="Nothing was begun.")
    return serial


def twin_script(script: bytes, model: Script) -> bytes:
    """A script that makes the twin which the later script takes up, in the chain of the root that is lost."""
    document: dict[str, Any] = tomllib.loads(past_script(script, model).decode())
    for table in ("profiles", "intermediates", "crl"):
        document.pop(table, None)
    document["id"] = f"twin-{model.id}"[:64]
    document["root"] = tomllib.loads(script.decode())["root"]
    document["previous"] = {"fingerprint": "0" * 64}
    document["steps"] = [step for step in document["steps"] if step["kind"] not in ("import-request", "sign-intermediates", "record")]
    return tomlkit.dumps(document).encode()


def _lost_root(model: Script) -> str:
    """The label of another root than the script's own, whose token is reported as lost; "" for none."""
    losses = [step.label for step in model.steps if isinstance(step, ReportLoss)]
    return next((label for label in losses if label not in ("", model.root.label)), "")


def activation_of_past(activation: Activation) -> dict[str, Any]:
    """`[activation]` of the made-up past: the PINs as they are held when the script begins."""
    user, so = activation.held("user", before=True), activation.held("so", before=True)
    table, so_table = ({name: value for name, value in msgspec.to_builtins(held).items() if value} for held in (user, so))
    if so.smallest_group < user.smallest_group:
        so_table["smaller"] = "as the ceremony before left it"
    return {**table, "so": so_table}


def past_script(script: bytes, model: Script) -> bytes:
    """A script that makes the root which a later script starts from, by the same people on a blank token."""
    document: dict[str, Any] = tomllib.loads(script.decode())
    profiles = document.pop("profiles", {})
    for table in ("previous", "intermediates", "proofs", "crl", "revoke", "crossing", "roll_over"):
        document.pop(table, None)
    document["activation"] = activation_of_past(model.activation)
    if (old := model.roll_over) is not None:
        # The made-up past is of the old root, and none of its intermediates outlives it.
        named = {"label": old.label, "subject": old.subject, "not_after": old.not_after, "path_length": old.path_length}
        document["root"] = {**document["root"], **named}
        ends = {name: min(table.not_after, old.not_after) for name, table in model.profiles.items()}
        profiles = {name: {**table, "not_after": ends[name]} for name, table in profiles.items()}
    actor = next(participant.id for participant in model.participants if participant.role == "administrator")
    others = [participant for participant in model.participants if participant.role not in ("administrator", "observer")]
    confirm = next((other.id for other in others if other.role in WITNESSING), others[0].id)
    for participant in document["participants"]:
        # Where the later script has nobody who only watches, the made-up key generation has.
        if participant["id"] == confirm and participant["role"] not in WITNESSING:
            participant["role"] = "witness"
    document["evidence"] = "witness"
    document["id"] = f"past-{model.id}"[:64]
    document["title"] = f"Made-up past of: {model.title}"
    if model.taken_up is None:
        # The script brings another root into the chain: the first one has a name of its own.
        document["root"] |= {"label": f"first-before-{model.root.label}"[:64], "subject": "CN=First root of a made-up past"}
    if lost := _lost_root(model):
        document["root"] |= {"label": lost, "subject": "CN=First root of a made-up past"}
    document["world"] = {"token": "blank", "root": "absent"}
    document["backup"] = {"kind": "none", "reason": "made up for a rehearsal", "owner": "nobody"}
    if _loses_a_token(model):
        document["backup"] = {"kind": "vendor-clone", "tool": "made up", "version": "0", "domain": "made up", "holders": ["nobody"]}
        document["crl"] = {"next_update": model.crl.next_update if model.crl else model.root.not_after}
    kinds = ["roll-call", "check-clock", "check-machine", "initialise-token", "unlock", "generate-root", "unlock", "certify-root"]
    if certified := certified_in_past(model):
        # What the script revokes or re-issues must have been certified; its serial is one of the real root's, so a stand-in has a name.
        document["profiles"] = {**profiles, _REVOKED: {"not_after": (model.roll_over or model.root).not_after, "subject": "CN=*"}}
        document["intermediates"] = [{"name": name, "profile": profile} for name, profile in certified.items()]
        kinds += ["import-request", "unlock", "sign-intermediates"]
    if _loses_a_token(model):
        kinds.append("prove-backup")
    document["steps"] = [{"kind": kind, "title": kind, "actor": actor, "confirm": [confirm]} for kind in (*kinds, "close")]
    document["steps"][3]["label"] = "rehearsal"
    if things := [{"name": fact.name, "what": fact.what, "text": fact.text} for fact in _taken_out(model)]:
        away = {"kind": "record", "title": "record", "actor": actor, "confirm": [confirm], "custody": "put-away", "facts": things}
        document["steps"].insert(-1, away)
    return tomlkit.dumps(document).encode()


def _loses_a_token(model: Script) -> bool:
    """Whether the past must have a copy, since the script goes on without the first token of its own root."""
    return model.taken_up is not None and not _lost_root(model) and any(isinstance(step, ReportLoss) for step in model.steps)


_REVOKED = "revoked-in-a-rehearsal"


def certified_in_past(model: Script) -> dict[str, str]:
    """The intermediates that the made-up past certifies, and the profile of each: what is revoked, and what is re-issued."""
    revoked = [entry.name or stand_in_name(number) for number, entry in enumerate(model.revoke, 1)]
    return dict.fromkeys(revoked, _REVOKED) | {entry.name: entry.profile for entry in model.intermediates if entry.reissue}


_MADE_UP = {
    "bag": "REHEARSAL-BAG-0001",
    "seal": "REHEARSAL-SEAL-0001",
    "safe": "Rehearsal safe 1",
    "medium": "REHEARSAL-MEDIUM-1",
    "token": "REHEARSAL-TOKEN",
    "other": "REHEARSAL",
}
"""What stood on each kind of thing that the made-up past put away."""


def _taken_out(model: Script) -> list[Fact]:
    """What the script takes out first of all, and expects as the ceremony before put it away."""
    first: dict[str, Fact] = {}
    away: set[str] = set()
    for step in model.steps:
        if isinstance(step, Record) and step.custody:
            for fact in step.facts:
                if step.custody == "taken-out" and fact.name not in away:
                    first.setdefault(fact.name, fact)
                away.add(fact.name)
    return list(first.values())


def _put_away(model: Script) -> dict[str, str]:
    return {f"record/{fact.name}/1/first": _MADE_UP[fact.what] for fact in _taken_out(model)}
