"""What goes wrong while a rehearsal is held: each kind hears what it could strike, and strikes from one of these points on."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from ceremony.errors import CeremonyError
from ceremony.machine.checks import Finding, _clock
from ceremony.machine.disk import sync_file_system
from ceremony.room.failures import TokenFailure
from ceremony.room.room import TokenRoom
from hsm.errors import TokenError
from tests.crash_matrix.token_files import FileModule, SoftwareToken

OUTBOX = "work/rehearsal/outbox"
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_OF_A_TOKEN = ("info", "initialise", "wipe", "login", "login_so", "set_pin", "reset_user_pin", "logout", "inventory", "generate_key",
               "find_key", "attributes", "sign", "random", "destroy")  # fmt: skip
_ACTING = ("initialise", "wipe", "set_pin", "reset_user_pin", "generate_key", "sign", "destroy")


class Defect(Exception):
    """A bug of ours, as it would be met in the field."""


@dataclass
class Disturbance:
    """Strikes from point `begins` (from 1) on, until it is lifted; None: it only counts. Nothing is heard before `hears` is set."""

    folder: Path
    begins: int | None = None
    points: list[str] = field(default_factory=list)
    hears: bool = False
    struck: bool = False
    lifting: list[Callable[[], object]] = field(default_factory=list)

    def strikes(self, what: str) -> bool:
        """At this point."""
        if not self.hears:
            return False
        self.points.append(what)
        self.struck = self.struck or len(self.points) == self.begins
        return self.struck

    def lift(self) -> None:
        """All is as before: there is room on the disk, the token is in again."""
        self.hears = self.struck = False
        while self.lifting:
            self.lifting.pop()()

    def inside(self, place: Any) -> str | None:
        """A path below the folder, by name or descriptor; None for another, for a token's own memory and people's credentials."""
        with suppress(OSError, TypeError, ValueError):
            path = os.readlink(f"/proc/self/fd/{place}") if isinstance(place, int) else os.path.abspath(os.fsdecode(place))
            inside = os.path.relpath(path, self.folder)
            if not inside.startswith(("..", "work/rehearsal/credentials")) and "/tokens" not in inside:
                return inside
        return None


Installed = Callable[[Disturbance], Any]


@contextmanager
def _writes(strike: Callable[[str, str], None]) -> Iterator[None]:
    """While open, `strike` is called before anything is written: with what is about to be done, and the path or descriptor.

    Opening, making, renaming, removing and cutting are heard by CPython's audit hook (PEP 578), which stays: for a process of its own.
    """
    open_now = True

    def hear(event: str, given: tuple[Any, ...]) -> None:
        if not open_now:
            return
        # A descriptor is open already.
        if event == "open" and not isinstance(given[0], int) and isinstance(given[2], int) and given[2] & _WRITES:
            strike("open", given[0])
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate"):
            strike(event.removeprefix("os."), given[0])
        elif event == "os.rename":
            strike("rename", given[1])

    def write(descriptor: int, octets: Any) -> int:
        try:
            strike("write", descriptor)  # type: ignore[arg-type]  # a descriptor will do
        except OSError as failed:
            if failed.errno != errno.EROFS:
                # A disk that gets full, or dies, has taken a part.
                _WRITE(descriptor, octets[: len(octets) // 2])
            raise
        return _WRITE(descriptor, octets)

    def fsync(descriptor: int) -> None:
        strike("flush", descriptor)  # type: ignore[arg-type]  # a descriptor will do
        _FSYNC(descriptor)

    def syncfs(folder: Path) -> None:
        strike("flush", str(folder))
        sync_file_system(folder)

    sys.addaudithook(hear)
    flushes = mock.patch("os.fsync", fsync), mock.patch("ceremony.machine.folder.sync_file_system", syncfs)
    with mock.patch("os.write", write), flushes[0], flushes[1]:
        try:
            yield
        finally:
            open_now = False


_WRITE, _FSYNC = os.write, os.fsync


def disk(number: int, events: tuple[str, ...], place: Callable[[str], bool]) -> Installed:
    """Each of these `events` at a place of this kind fails by this errno."""

    @contextmanager
    def installed(disturbance: Disturbance) -> Iterator[None]:
        def strike(event: str, path: str) -> None:
            inside = disturbance.inside(path) if event in events else None
            if inside is not None and place(inside) and disturbance.strikes(f"{event} {inside}"):
                raise OSError(number, os.strerror(number))

        with _writes(strike):
            yield

    return installed


@contextmanager
def medium_pulled(disturbance: Disturbance) -> Iterator[None]:
    """The outbound medium is not there any more, with what it holds so far; lifted, it is in again."""
    outbox, away = disturbance.folder / OUTBOX, disturbance.folder.with_name("pulled")

    def strike(event: str, place: str) -> None:
        inside = disturbance.inside(place)
        if inside is None or not inside.startswith(OUTBOX) or not disturbance.strikes(f"{event} {inside}") or away.exists():
            return
        disturbance.hears = False
        outbox.rename(away)
        disturbance.lifting.append(lambda: away.rename(outbox))

    with _writes(strike):
        yield


def token_pulled(*, done: bool) -> Installed:
    """At a call the token is gone: before it was done, or `done`, and nobody heard of it. Lifted, it is in again, locked."""

    @contextmanager
    def installed(disturbance: Disturbance) -> Iterator[None]:
        inner = False

        def gone(name: str) -> TokenError:
            return TokenError("TOKEN-REMOVED", "The token was removed during the call.", outcome_unknown=name in _ACTING)

        def wrapped(name: str) -> Callable[..., Any]:
            method = getattr(SoftwareToken, name)

            def call(token: SoftwareToken, *args: Any, **more: Any) -> Any:
                nonlocal inner
                if inner or not disturbance.hears:
                    return method(token, *args, **more)
                before = disturbance.struck
                if disturbance.strikes(name) and (before or not done):
                    token.is_open = False
                    raise gone(name)
                inner = True
                try:
                    value = method(token, *args, **more)
                finally:
                    inner = False
                if disturbance.struck:
                    token.is_open = False
                    raise gone(name)
                return value

            return call

        def looked_for(module: FileModule, **asked: Any) -> Any:
            if disturbance.struck:
                raise TokenError("TOKEN-NOT-FOUND", "No token is there.")
            return _LOOKED_FOR(module, **asked)

        def listed(module: FileModule) -> Any:
            return [] if disturbance.struck else _LISTED(module)

        with ExitStack() as stack:
            for name in _OF_A_TOKEN:
                stack.enter_context(mock.patch.object(SoftwareToken, name, wrapped(name)))
            stack.enter_context(mock.patch.object(FileModule, "token", looked_for))
            stack.enter_context(mock.patch.object(FileModule, "tokens", listed))
            yield

    return installed


_LOOKED_FOR, _LISTED = FileModule.token, FileModule.tokens


def act_fails(error: Callable[[], Exception], *, done: bool = False) -> Installed:
    """One act ends by this error, not done, or `done` before."""

    @contextmanager
    def installed(disturbance: Disturbance) -> Iterator[None]:
        do = TokenRoom.do

        def doing(room: TokenRoom, act: Any, *more: Any) -> Any:
            before = disturbance.struck
            struck = disturbance.strikes(act.verb) and not before
            if struck and not done:
                raise error()
            value = do(room, act, *more)
            if struck:
                raise error()
            return value

        with mock.patch.object(TokenRoom, "do", doing):
            yield

    return installed


def unknown() -> CeremonyError:
    """As of a module that does not answer."""
    return TokenFailure(TokenError("MODULE-HANGS", "No answer came in time.", outcome_unknown=True), "")


def known() -> CeremonyError:
    """As of a file that can't be read."""
    return CeremonyError("FOLDER-UNWRITABLE", "A file could not be read or written.")


@contextmanager
def clock_behind(is_so: Callable[[], bool]) -> Iterator[None]:
    """While `is_so`, the machine's clock is an hour behind; the machine check looks at the clock alone."""

    class Behind(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # a plain one is given
            return datetime.now(tz) - timedelta(hours=1) * is_so()

    def looked_at(**facts: Any) -> list[Finding]:
        return [_clock(Path("/"), facts["clock_before"], facts["not_before"])]

    with mock.patch("ceremony.machine.clock.datetime", Behind), mock.patch("ceremony.room.check_machine.check_machine", looked_at):
        yield


def clock_set_back(disturbance: Disturbance) -> AbstractContextManager[None]:
    """From one line on."""
    return clock_behind(lambda: disturbance.struck)


def _folder(inside: str) -> bool:
    return not _medium(inside)


def _medium(inside: str) -> bool:
    return inside.startswith(OUTBOX)


def _folder_but_the_record(inside: str) -> bool:
    return _folder(inside) and inside != "transcript.jsonl"


_ALL = ("open", "mkdir", "rename", "remove", "rmdir", "truncate", "write")
# A file system may find out when it flushes that there was no room.
_GROWING = ("open", "mkdir", "write", "flush")
DISTURBANCES: dict[str, Installed] = {
    "the folder's disk is full": disk(errno.ENOSPC, _GROWING, _folder),
    "the folder's disk has room for lines alone": disk(errno.ENOSPC, _GROWING, _folder_but_the_record),
    "the folder's disk turns read-only": disk(errno.EROFS, _ALL, _folder),
    "the folder's disk does not flush": disk(errno.EIO, ("flush",), _folder),
    "the folder's disk dies": disk(errno.EIO, (*_ALL, "flush"), _folder),
    "the medium is full": disk(errno.ENOSPC, _GROWING, _medium),
    "the medium turns read-only": disk(errno.EROFS, _ALL, _medium),
    "the medium does not flush": disk(errno.EIO, ("flush",), _medium),
    "the medium is pulled": medium_pulled,
    "the token is pulled before a call": token_pulled(done=False),
    "the token is pulled in a call": token_pulled(done=True),
    "an act fails": act_fails(known),
    "an act of unknown outcome, not done": act_fails(unknown),
    "an act of unknown outcome, done": act_fails(unknown, done=True),
    "a defect before an act": act_fails(Defect),
    "a defect after an act": act_fails(Defect, done=True),
    "the clock is set back": clock_set_back,
    "the clock is set back before it is resumed": act_fails(known),
}
"""By what people would say of it."""
