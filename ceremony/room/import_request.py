"""import-request: what lies on the inbound medium is copied once, under caps; only the copy is read."""

import shutil
from typing import TYPE_CHECKING, Any

from ceremony.crossing.request import read_request
from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.machine.disk import sync_folder
from ceremony.machine.media import copy_in, requests_on
from ceremony.machine.medium import medium_at
from ceremony.room.made_up import make_up_request
from ceremony.room.verb import Verb
from ceremony.transcript import read_lines

if TYPE_CHECKING:
    from pathlib import Path

    from ceremony.room.room import TokenRoom


_INCOMING = "incoming-"


class ImportRequest(Verb):
    """Returns every request on the medium that was not imported before, and the time. A rehearsal makes up what nobody brought."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Copies and reads. `seen` are the digests of requests imported before, `wanted` what is still to come in.

        Raises CeremonyError INBOX-NOT-NAMED, MEDIUM-…, REQUEST-…
        """
        if room.inbox is None and not room.rehearsal:
            raise CeremonyError("INBOX-NOT-NAMED", "Nothing can come in: no inbox is named.", state="Nothing was imported.")
        _remove_what_no_line_names(room)
        copies = _copied(room, requests_on(room.inbox) if room.inbox else [])
        # From here on only the copies are looked at; the medium itself is out of reach where the system lets us.
        unmounted = room.inbox is not None and medium_at(room.inbox).unmount()
        requests = _taken(room, copies, args["seen"], made_up=False)
        if not requests and room.rehearsal and not _last_was_refused(room):
            made_up = make_up_request(room, args["wanted"], args["root_certificate_sha256"])
            requests = _taken(room, _copied(room, [made_up]), [], made_up=True)
        if not requests:
            what = f"The medium at {room.inbox} holds no request that was not imported before."
            raise CeremonyError("MEDIUM-NO-REQUEST", what, state="Nothing was imported.")
        return {"requests": requests, "at": room.clock().time, "unmounted": unmounted}


def _copied(room: "TokenRoom", sources: "list[Path]") -> "list[Path]":
    """A copy of each folder, under a name of its own until it is read and found to be a request."""
    copies = [room.folder.path / "requests" / f"{_INCOMING}{number}" for number in range(1, 1 + len(sources))]
    for source, copy in zip(sources, copies, strict=True):
        copy_in(source, copy)
    return copies


def _taken(room: "TokenRoom", copies: "list[Path]", seen: list[str], *, made_up: bool) -> list[dict[str, Any]]:
    """The requests that these copies are, each in requests/<n> now; what was imported before is not kept."""
    taken: list[dict[str, Any]] = []
    for copy in copies:
        request = read_request(copy)
        if request.sha256 in (*seen, *(other["sha256"] for other in taken)):
            shutil.rmtree(copy)
            continue
        number = 1 + max((int(found.name) for found in _imported(room)), default=0)
        copy.rename(room.folder.request(number))
        sync_folder(copy.parent)
        taken.append(request.as_value(f"requests/{number}", made_up=made_up))
    return taken


def _remove_what_no_line_names(room: "TokenRoom") -> None:
    """Copies of an import that was interrupted or refused, before it reached the record."""
    lines, _ = read_lines(room.folder.read("transcript.jsonl"))
    named = {
        request["folder"]
        for line in lines
        if line.type == "result" and line.data["verb"] == "import-request" and "value" in line.data
        for request in line.data["value"]["requests"]
    }
    for copy in [*_imported(room), *(room.folder.path / "requests").glob(f"{_INCOMING}*")]:
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


def _imported(room: "TokenRoom") -> "list[Path]":
    return [entry for entry in (room.folder.path / "requests").glob("*") if entry.name.isdecimal()]
