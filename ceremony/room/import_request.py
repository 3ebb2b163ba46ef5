"""import-request: what lies on the inbound medium is copied once, under caps; only the copy is read."""

import shutil
from typing import TYPE_CHECKING, Any

from ceremony.crossing.request import read_request
from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.machine.clock import now
from ceremony.machine.media import copy_in, requests_on
from ceremony.room.made_up import make_up_request
from ceremony.room.verb import Verb
from ceremony.transcript import read_lines

if TYPE_CHECKING:
    from pathlib import Path

    from ceremony.room.room import TokenRoom


class ImportRequest(Verb):
    """Returns every request on the medium that was not imported before, and the time. A rehearsal makes up what nobody brought."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Copies and reads. `seen` are the digests of requests imported before, `wanted` what is still to come in.

        Raises CeremonyError INBOX-NOT-NAMED, MEDIUM-…, REQUEST-…
        """
        if room.inbox is None and not room.rehearsal:
            raise CeremonyError("INBOX-NOT-NAMED", "Nothing can come in: no inbox is named.", state="Nothing was imported.")
        _remove_what_no_line_names(room)
        requests: list[dict[str, Any]] = []
        for source in requests_on(room.inbox) if room.inbox else []:
            requests += _taken(room, source, [*args["seen"], *(request["sha256"] for request in requests)], made_up=False)
        if not requests and room.rehearsal and not _last_was_refused(room):
            requests = _taken(room, make_up_request(room, args["wanted"], args["root_certificate_sha256"]), [], made_up=True)
        if not requests:
            what = f"The medium at {room.inbox} holds no request that was not imported before."
            raise CeremonyError("MEDIUM-NO-REQUEST", what, state="Nothing was imported.")
        return {"requests": requests, "at": now().time}


def _taken(room: "TokenRoom", source: "Path", seen: list[str], *, made_up: bool) -> list[dict[str, Any]]:
    """The request of one folder, copied to requests/<n>; nothing, and no copy, when it was imported before."""
    number = 1 + max((int(found.name) for found in _copies(room)), default=0)
    target = room.folder.request(number)
    copy_in(source, target)
    request = read_request(target)
    if request.sha256 in seen:
        shutil.rmtree(target)
        return []
    return [request.as_value(f"requests/{number}", made_up=made_up)]


def _remove_what_no_line_names(room: "TokenRoom") -> None:
    """Copies of an import that was interrupted or refused, before it reached the record."""
    lines, _ = read_lines(room.folder.read("transcript.jsonl"))
    named = {
        request["folder"]
        for line in lines
        if line.type == "result" and line.data["verb"] == "import-request" and "value" in line.data
        for request in line.data["value"]["requests"]
    }
    for copy in _copies(room):
        if f"requests/{copy.name}" not in named:
            shutil.rmtree(copy)


def _last_was_refused(room: "TokenRoom") -> bool:
    """Whether people brought something that was refused, and nothing since: then nothing is made up in its place."""
    refused = False
    for line in read_lines(room.folder.read("transcript.jsonl"))[0]:
        if line.type == "result" and line.data["verb"] == "import-request" and "value" in line.data:
            refused = False
        elif line.type == "confirmed" and _says_no(line.data["key"], line.data["value"]):
            refused = True
    return refused


def _says_no(key: str, value: str) -> bool:
    return key.startswith("refused/") or (key.startswith("vouch/") and value == "refuse")


def _copies(room: "TokenRoom") -> "list[Path]":
    return [entry for entry in (room.folder.path / "requests").glob("*") if entry.name.isdecimal()]
