"""One session of a ceremony: the folder opened and locked, the room built, the loop conducted, everything shut again."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ceremony.activation.arrangement import PIN_NAMES, WHICH
from ceremony.activation.roster import is_example
from ceremony.crossing.bundle import CAPS, LEDGER
from ceremony.crossing.files import read_tree
from ceremony.crossing.held_pins import BothPins
from ceremony.crossing.ledger import read_ledger
from ceremony.crossing.previous import previous_to_go_on_from, require_bundle
from ceremony.crossing.roots import activation_in, roots_in
from ceremony.crossing.subject import read_subject
from ceremony.crossing.tokens import copies_left
from ceremony.crossing.verify import verify_bundle
from ceremony.engine.conduct import Stopped, conduct
from ceremony.engine.resume import last_announced, resume
from ceremony.engine.step import Ask, Face, Interrupt, Notice
from ceremony.errors import CeremonyError, ExitCode
from ceremony.machine.clock import now
from ceremony.machine.folder import CeremonyFolder
from ceremony.machine.image import image_sha256, problem_with_image, require_image
from ceremony.machine.site import Site, parse_site
from ceremony.opening import approved, previous_from_paper
from ceremony.report.rendering import reports_of_bundle
from ceremony.room.failures import telling
from ceremony.room.rehearsal_credentials import made_up_credentials
from ceremony.room.rehearsed import Rehearsed
from ceremony.room.room import TokenRoom
from ceremony.script import Script, read_script, script_digest
from ceremony.steps.report_loss import ReportLoss
from ceremony.transcript import Line, Transcript, read_lines
from ceremony.words import sha256_hex


@dataclass(frozen=True)
class Outcome:
    """How a session ended. `fingerprint` (hex) is the one to be on paper; "" when none was announced.

    `media` are the places of the media that were in use, to be taken out and counted.
    """

    exit_code: int
    reason: str
    text: str
    fingerprint: str
    folder: Path
    media: tuple[str, ...] = ()


@dataclass
class Session:
    """An open ceremony, ready to be conducted. `previous` is the facts of the bundle it starts from."""

    folder: CeremonyFolder
    script: Script
    transcript: Transcript
    room: TokenRoom
    rehearsal: bool
    previous: dict[str, Any] | None = None
    made_up: tuple[str, ...] = field(default=())

    def conduct(self, face: Face) -> Outcome:
        """Opens or resumes the record and conducts. A rehearsal goes on after a crossing in the same run, if people wish."""
        try:
            self._opened_or_resumed(face)
            while True:
                try:
                    fingerprint = conduct(self.script, self.transcript, face, self.room)
                    return self._outcome(ExitCode.DONE, "closed", "The ceremony is closed.", fingerprint)
                except Stopped as stopped:
                    if not (self.rehearsal and stopped.reason == "crossing" and self._go_on(face)):
                        return self._outcome(stopped.exit_code, stopped.reason, stopped.text)
                    resume(self.script, self.transcript, face, self.room)
        except Stopped as stopped:
            return self._outcome(stopped.exit_code, stopped.reason, stopped.text)

    def _outcome(self, exit_code: int, reason: str, text: str, fingerprint: str = "") -> Outcome:
        announced = last_announced(self.transcript.lines)
        media = tuple(str(place) for place in (self.room.inbox, self.room.outbox) if place)
        return Outcome(int(exit_code), reason, text, fingerprint or (announced.sha256 if announced else ""), self.folder.path, media)

    def _opened_or_resumed(self, face: Face) -> None:
        for line in self.made_up:
            face.tell(Notice(kind="info", lines=(f"REHEARSAL: {line}",)))
        if self.rehearsal and (problem := problem_with_image(self.script.image_sha256, image_sha256())):
            face.tell(Notice(kind="info", lines=(f"REHEARSAL: a ceremony would be refused here. {problem}",)))
        if self.transcript.lines:
            resume(self.script, self.transcript, face, self.room)
            return
        if self.previous and not self.rehearsal:
            previous_from_paper(self.script, face)
        script = self.folder.script
        approved_by = approved(self.script, script_digest(script), self.room, face)
        self.room.ceremony = os.urandom(16).hex()
        data = {
            "format": 1,
            "ceremony": self.room.ceremony,
            "rehearsal": self.rehearsal,
            "script": {"id": self.script.id, "title": self.script.title, "sha256": script_digest(script)},
            "approved_by": approved_by,
            "site": {"sha256": self.room.site.sha256},
            "previous": self.previous,
            "credentials": self._made_up_credentials(),
            **self.room.describe(),
        }
        self.transcript.append("opened", data, prev=self.previous["fingerprint"] if self.previous else script_digest(script))

    def _made_up_credentials(self) -> dict[str, dict[str, str]]:
        """Those of a rehearsal; a ceremony has the script's and makes up none."""
        if not self.rehearsal or self.room.credentials is None:
            return {}
        with telling("Nothing was begun."):
            return made_up_credentials(self.script, self.room.credentials, self.room.softhsm)

    def _go_on(self, face: Face) -> bool:
        administrator = next(participant.id for participant in self.script.participants if participant.role == "administrator")
        shown = (
            "In a ceremony, days may pass here, and the program ends.",
            "A rehearsal can go on at once with what comes back over the gap.",
        )
        reply = face.ask(Ask(key="go-on", text="Go on now?", by=administrator, shown=shown, choices=("go on", "leave")))
        return not isinstance(reply, Interrupt) and reply.value.strip().casefold() == "go on"


@contextmanager
def begun(
    script: bytes,
    directory: Path,
    *,
    site: Site,
    inbox: Path | None,
    outbox: Path | None,
    previous: Sequence[Path],
    removed: tuple[str, ...],
    credentials: Path | None = None,
    rehearsed: Rehearsed | None = None,
) -> Iterator[Session]:
    """A new ceremony in `directory`. `rehearsed` is what a rehearsal brings in place of site, previous bundle and credentials.

    `previous` are bundles of earlier ceremonies, of which the last must be the one that the script names.
    Raises ScriptRefused and CeremonyError; IMAGE-DIFFERS (exit 7) when a production run is not on the image that the script names,
    MODULE-IS-SOFTWARE (exit 7) when it names a software token,
    CREDENTIAL-IS-EXAMPLE when its roster names one of the shipped scripts', MODULE-NOT-SOFTWARE when a rehearsal names another.
    """
    model = read_script(script)
    if rehearsed is None and site.module is None:
        raise CeremonyError("MODULE-NOT-NAMED", "No PKCS#11 module is named.", state="Nothing was begun.")
    if rehearsed is None:
        require_image(model.image_sha256)
    if model.previous and not previous and rehearsed is None:
        raise CeremonyError("PREVIOUS-MISSING", "The script starts from an earlier ceremony ([previous]).", state="Nothing was begun.")
    with CeremonyFolder.create(directory) as folder:
        room = _room(folder, model, site, (inbox, outbox, credentials), removed, rehearsed)
        try:
            _refuse_the_other_kind_of_module(room)
            if rehearsed is None:
                _refuse_examples(model)
            folder.write("script.toml", script)
            folder.write("site.toml", site.octets)
            before = [rehearsed.previous] if rehearsed and rehearsed.previous else previous
            facts = _taken_over(folder, model, before, rehearsal=rehearsed is not None)
            with closing(Transcript(folder.transcript_path, now)) as transcript:
                yield Session(folder, model, transcript, room, rehearsed is not None, facts, rehearsed.made_up if rehearsed else ())
        finally:
            room.close()


@contextmanager
def gone_on(
    directory: Path, *, inbox: Path | None, outbox: Path | None, removed: tuple[str, ...], credentials: Path | None = None
) -> Iterator[Session]:
    """The ceremony of a folder, to be resumed. Raises CeremonyError RECORD-…, IMAGE-DIFFERS."""
    with CeremonyFolder.open(directory) as folder, closing(Transcript(folder.transcript_path, now)) as transcript:
        opened = transcript.lines[0].data
        script = folder.script
        if (
            script_digest(script) != opened["script"]["sha256"]
            or folder.site != b""
            and sha256_hex(folder.site) != opened["site"]["sha256"]
        ):
            raise CeremonyError("RECORD-MISMATCH", "script.toml or site.toml in the folder is not the one that the record was begun with.")
        model = read_script(script)
        if not opened["rehearsal"]:
            require_image(model.image_sha256)
        rehearsed = Rehearsed.found(folder.path, Path(opened["module"]["path"]), parse_site(folder.site)) if opened["rehearsal"] else None
        room = _room(folder, model, parse_site(folder.site), (inbox, outbox, credentials), removed, rehearsed)
        room.ceremony = opened["ceremony"]
        room.recorded_until = transcript.lines[-1].time
        room.serial = serial_in_use(transcript.lines) or _serial_of_past(folder.path, model)
        try:
            _refuse_the_other_kind_of_module(room)
            yield Session(folder, model, transcript, room, opened["rehearsal"], opened["previous"])
        finally:
            room.close()


def _refuse_the_other_kind_of_module(room: TokenRoom) -> None:
    """A root key does not belong into software, and a rehearsal not onto a real token (design, rule 14)."""
    module = room.module.info
    software = module.software or room.rehearsal and _shows_software_alone(room)
    if software == room.rehearsal:
        return
    if module.software:
        raise CeremonyError(
            "MODULE-IS-SOFTWARE", f"{module.description} at {module.path} keeps keys in software.", state="Nothing was changed."
        )
    what = f"{module.description} at {module.path} is not known to be software."
    raise CeremonyError("MODULE-NOT-SOFTWARE", what, state="Nothing was changed.")


def _shows_software_alone(room: TokenRoom) -> bool:
    """Of a module whose name does not tell: opencryptoki leads to software and to hardware, as its tokens say."""
    with telling("Nothing was changed."):
        tokens = room.module.tokens()
    return bool(tokens) and all(token.software for token in tokens)


def _refuse_examples(script: Script) -> None:
    """A script whose roster still names the shipped scripts' credentials would end at the first signature, with the token made ready."""
    examples = [who for who, credential in script.roster() if is_example(credential)]
    if examples:
        what = f"The script gives {', '.join(examples)} a credential of the shipped examples, whose private key nobody holds."
        raise CeremonyError("CREDENTIAL-IS-EXAMPLE", what, state="Nothing was begun.")


_TAKES_A_TOKEN = ("initialise-token", "adopt-token", "find-root", "take-token", "leave-token")


def serial_in_use(lines: list[Line]) -> str:
    """The serial of the token that the record last took up; "" if none."""
    for line in reversed(lines):
        if line.type == "result" and "value" in line.data and line.data["verb"] in _TAKES_A_TOKEN:
            value = line.data["value"]
            return str(value.get("token", value)["serial"])
    return ""


def _serial_of_past(directory: Path, script: Script) -> str:
    """That of a rehearsal's made-up past, where the script goes on with that token: not beside it, nor since it was lost."""
    if script.taken_up is None or any(isinstance(step, ReportLoss) for step in script.steps):
        return ""
    past = directory / "work" / "rehearsal" / "past" / "transcript.jsonl"
    return serial_in_use(read_lines(past.read_bytes())[0]) if past.exists() else ""


def _room(
    folder: CeremonyFolder,
    script: Script,
    site: Site,
    media: tuple[Path | None, Path | None, Path | None],
    removed: tuple[str, ...],
    rehearsed: Rehearsed | None,
) -> TokenRoom:
    """The room; `media` are inbox, outbox and people's own, as the command names them."""
    inbox, outbox, credentials = media
    if rehearsed is not None:
        return TokenRoom(
            folder=folder, script=script, site=site, module_path=rehearsed.module, environment=rehearsed.environment, rehearsal=True,
            inbox=inbox, outbox=outbox or rehearsed.outbox, credentials=rehearsed.credentials, serial=rehearsed.serial, removed=removed,
        )  # fmt: skip
    if site.module is None:
        raise CeremonyError("MODULE-NOT-NAMED", "No PKCS#11 module is named.", state="Nothing was begun.")
    return TokenRoom(
        folder=folder, script=script, site=site, module_path=site.module, environment=dict(site.environment), rehearsal=False,
        inbox=inbox or site.inbox, outbox=outbox or site.outbox, credentials=credentials or site.credentials_medium, removed=removed,
    )  # fmt: skip


def _taken_over(folder: CeremonyFolder, script: Script, bundles: Sequence[Path], *, rehearsal: bool) -> dict[str, Any] | None:
    """Copies the previous bundle into the folder and verifies the copy against the fingerprint that the script names."""
    if script.previous is None:
        return None
    made_again = None
    if rehearsal:
        bundle = bundles[0]
    else:
        bundle, made_again = previous_to_go_on_from(bundles, script.previous, script.taken_up)
    target = folder.path / "work" / "previous"
    if target.exists():
        shutil.rmtree(target)
    try:
        shutil.copytree(bundle, target, symlinks=True)
        if made_again is not None:
            # A copy of what lies on a read-only medium is read-only too.
            (target / LEDGER).parent.chmod(0o700)
            (target / LEDGER).unlink(missing_ok=True)
            (target / LEDGER).write_bytes(made_again)
    except OSError as failed:
        raise CeremonyError(
            "PREVIOUS-REFUSED", f"The bundle {bundle} could not be copied: {failed}.", state="Nothing was begun."
        ) from failed
    require_bundle(target)
    manifest_fingerprint = sha256_hex((target / "record" / "transcript.jsonl").read_bytes().splitlines(keepends=True)[-1])
    fingerprint = manifest_fingerprint if rehearsal else script.previous.fingerprint
    verdict = verify_bundle(target, fingerprint=fingerprint, render=reports_of_bundle)
    failed_checks = [check for check in verdict.checks if not check.passed]
    if failed_checks or verdict.rehearsal != rehearsal:
        why = "; ".join(f"{check.name}: {check.detail}" for check in failed_checks) or "it is a rehearsal's, and this is none"
        raise CeremonyError("PREVIOUS-REFUSED", f"The bundle of the earlier ceremony is refused: {why}.", state="Nothing was begun.")
    ledger = (target / "record" / "ledger.json").read_bytes()
    root = read_subject(read_tree(target, CAPS).files).root_fingerprint
    if root is None:
        raise CeremonyError("PREVIOUS-REFUSED", "The bundle of the earlier ceremony holds no root.", state="Nothing was begun.")
    lost = script.previous.lost
    # A lost ceremony may have changed the PINs: then the script says how they are held, and the token whether that is so.
    activation = None if lost and lost.is_hole else _activation_left(script, ledger)
    if activation is not None:
        require_as_left(script, activation)
    copies = copies_left(read_ledger(ledger).ceremonies)
    return {
        "fingerprint": fingerprint,
        "ledger_sha256": sha256_hex(ledger),
        "root_certificate_sha256": root,
        **({"activation": msgspec.to_builtins(activation)} if activation else {}),
        **({"lost": {**msgspec.to_builtins(lost), "after": fingerprint}} if lost else {}),
        **({"backups": msgspec.to_builtins(copies)} if copies else {}),
    }


def _activation_left(script: Script, ledger: bytes) -> BothPins | None:
    """How the PINs of the token that holds the root which the script takes up were left; None where it takes up none."""
    ceremonies = read_ledger(ledger).ceremonies
    root = next((root for root in roots_in(ceremonies) if script.taken_up and root.label == script.taken_up.label), None)
    return activation_in(ceremonies, root.public_key_sha256) if root else None


def require_as_left(script: Script, activation: BothPins) -> None:
    """The PINs are held as the script says they are when it begins. Raises CeremonyError ACTIVATION-DIFFERS."""
    for which in WHICH:
        left, said = activation.of(which).as_said, script.activation.held(which, before=True)
        if left != said:
            what = f"By the ledger the {PIN_NAMES[which]} is held by {left.line()}. The script begins with: {said.line()}."
            raise CeremonyError("ACTIVATION-DIFFERS", what, state="Nothing was begun.")
