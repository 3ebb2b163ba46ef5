"""Removable media: what comes in is copied once and looked at afterwards; what goes out is read back."""

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, TypedDict

from ceremony.canonical import NotCanonical, parse_json
from ceremony.errors import CeremonyError
from ceremony.machine.disk import make_folders, sync_folder, write_new
from ceremony.machine.medium import Medium
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SUMS = "SHA256SUMS"
_PARTIAL = ".partial"


class Receipt(TypedDict):
    """What `copy_out` found on the medium when it read it back: the folder, counts, and the digest (hex) of its SHA256SUMS.

    `read_back` says how: after the medium was unmounted and mounted again read-only, so that every byte came from the device itself; or
    from the same mount, after flushing and asking the system to drop what it still had in memory.
    """

    path: str
    files: int
    bytes: int
    sha256sums_sha256: str
    read_back: Literal["after-remount", "after-flush"]


@dataclass(frozen=True)
class _Caps:
    largest_file: int
    most_files: int
    deepest: int
    strict_names: bool


_LARGEST_MANIFEST = 16 << 20
# A bundle's largest file is its transcript.
_BUNDLE_CAPS = _Caps(largest_file=256 << 20, most_files=10_000, deepest=4, strict_names=False)


def requests_on(inbox: Path) -> list[Path]:
    """The folders on a medium that hold a `request.json`, the medium's own root among them, sorted by name.

    None is no error here. Raises CeremonyError MEDIUM-GONE, MEDIUM-LINK, MEDIUM-NAME.
    """
    with _reading(inbox):
        found = [inbox] if _is_there(inbox / "request.json") else []
        for folder in sorted(inbox.iterdir()):
            if not _is_there(folder / "request.json"):
                continue
            if folder.is_symlink():
                raise CeremonyError("MEDIUM-LINK", f"{shown_text(folder.name)} on the medium is a link.")
            if not _NAME.fullmatch(folder.name):
                raise CeremonyError("MEDIUM-NAME", f"{shown_text(folder.name)} on the medium is not a name that we take.")
            found.append(folder)
    return found


def copy_in(source: Path, target: Path, *, largest_file: int = 65536, most_files: int = 500, deepest: int = 2) -> None:
    """Copies a folder from a medium to the new folder `target`, which appears whole or not at all (mode 0700, files 0600).

    Each file is read once. Takes regular files and folders, at most `largest_file` bytes each, `most_files` in all, `deepest`
    names in a path, names of `[a-z0-9][a-z0-9._-]{0,63}` and SHA256SUMS. Never follows a link.
    Raises CeremonyError MEDIUM-GONE, MEDIUM-LINK, MEDIUM-NAME, MEDIUM-TOO-LARGE, MEDIUM-TAKEN, RECORD-UNWRITABLE.
    """
    if os.path.lexists(target):
        raise CeremonyError("MEDIUM-TAKEN", f"{target} is there already.", state="What is there is unchanged; nothing was copied.")
    with _reading(source):
        files = dict(_files(source, _Caps(largest_file, most_files, deepest, strict_names=True)))
    partial = target.with_name(f".{target.name}{_PARTIAL}")
    try:
        make_folders(target.parent)
        shutil.rmtree(partial, ignore_errors=True)
        _write_tree(partial, files, public=False)
        partial.rename(target)
        sync_folder(target.parent)
    except OSError as failed:
        shutil.rmtree(partial, ignore_errors=True)
        what = f"The copy to {target} failed: {failed.strerror}."
        raise CeremonyError("RECORD-UNWRITABLE", what, state="Nothing of the copy is left.") from failed


def must_be_fresh(outbox: Path, but_for: str = "") -> None:
    """Refuses a medium that holds anything, or can't be written to.

    No matter are the file system's own lost+found, and the folder `but_for` with what a crash may have left of it. Raises
    CeremonyError MEDIUM-NOT-EMPTY, MEDIUM-READ-ONLY, MEDIUM-GONE.
    """
    with _writing(outbox):
        no_matter = {"lost+found", but_for, f".{but_for}{_PARTIAL}"}
        held = sorted(entry.name for entry in outbox.iterdir() if entry.name not in no_matter)
        if held:
            what = f"The medium at {outbox} holds {shown_text(held[0])}; what leaves goes onto a fresh one."
            raise CeremonyError("MEDIUM-NOT-EMPTY", what)
        if not os.access(outbox, os.W_OK):
            raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))


def must_hold_only_bundles(outbox: Path, ceremony: str) -> None:
    """Refuses a medium that holds anything but bundles of this ceremony, or can't be written to; as `must_be_fresh`."""
    with _writing(outbox):
        _must_hold_only(outbox, ceremony)
        if not os.access(outbox, os.W_OK):
            raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))


def copy_out(bundle: Path, outbox: Path, name: str, *, medium: Medium | None = None) -> Receipt:
    """Copies a sealed bundle to the folder `name` on a medium, flushes it, reads every byte back from there and compares.

    The medium must be empty or hold only earlier bundles of the same ceremony; a copy that is there already, byte for byte, is read
    back and will do. `medium`, where it is given and can be, is unmounted and mounted again read-only before it is read, and is
    unmounted in the end. What was begun is removed when the copy fails. Raises CeremonyError MEDIUM-GONE, MEDIUM-READ-ONLY,
    MEDIUM-NOT-EMPTY, MEDIUM-FULL, MEDIUM-DIFFERS, and MEDIUM-LINK, MEDIUM-TOO-LARGE for a bundle that is not as we made it.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name that we take")
    try:
        files = dict(_files(bundle, _BUNDLE_CAPS))
    except OSError as failed:
        raise CeremonyError("RECORD-MISSING", f"The bundle {bundle} could not be read: {failed.strerror}.") from failed
    if _SUMS not in files:
        raise CeremonyError("RECORD-MISSING", f"The bundle {bundle} has no {_SUMS}.")
    partial, target = outbox / f".{name}{_PARTIAL}", outbox / name
    with _writing(outbox):
        shutil.rmtree(partial, ignore_errors=True)
        _must_hold_only(outbox, _ceremony_of(files.get("manifest.json", b"")))
        if not os.path.lexists(target):
            _must_have_room(outbox, files)
            try:
                _write_tree(partial, files, public=True)
                _must_equal(partial, files)
                partial.rename(target)
                sync_folder(outbox)
            except (OSError, CeremonyError):
                shutil.rmtree(partial, ignore_errors=True)
                raise
        _must_equal(target, files)
        remounted = medium is not None and medium.unmount()
        if medium is not None and remounted:
            medium.mount(read_only=True)
            try:
                _must_equal(target, files)
            finally:
                medium.unmount()
    return Receipt(
        path=str(target),
        files=len(files),
        bytes=sum(map(len, files.values())),
        sha256sums_sha256=sha256_hex(files[_SUMS]),
        read_back="after-remount" if remounted else "after-flush",
    )


def _files(folder: Path, caps: _Caps, *, from_medium: bool = False) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each file below `folder`. Walks by descriptors, so that a folder swapped for a link is not followed."""
    seen: set[str] = set()
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    waiting = [(top, "")]
    try:
        while waiting:
            descriptor, prefix = waiting.pop()
            try:
                for name in sorted(os.listdir(descriptor)):
                    path = prefix + name
                    _must_be_allowed(name, path, caps)
                    kind = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
                    if stat.S_ISDIR(kind):
                        if path.count("/") + 1 >= caps.deepest:
                            raise CeremonyError("MEDIUM-TOO-LARGE", f"The folder {shown_text(path)} lies deeper than {caps.deepest} names.")
                        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
                        waiting.append((below, path + "/"))
                        continue
                    if not stat.S_ISREG(kind):
                        raise CeremonyError("MEDIUM-LINK", f"{shown_text(path)} is a link or a special file.")
                    if path.casefold() in seen:
                        raise CeremonyError("MEDIUM-NAME", f"{shown_text(path)} stands twice, in upper and lower case.")
                    seen.add(path.casefold())
                    if len(seen) > caps.most_files:
                        raise CeremonyError("MEDIUM-TOO-LARGE", f"There are more than {caps.most_files} files.")
                    yield path, _read(descriptor, name, path, caps.largest_file, from_medium=from_medium)
            finally:
                os.close(descriptor)
    finally:
        for descriptor, _ in waiting:
            os.close(descriptor)


def _must_be_allowed(name: str, path: str, caps: _Caps) -> None:
    if caps.strict_names and name != _SUMS and not _NAME.fullmatch(name):
        raise CeremonyError("MEDIUM-NAME", f"{shown_text(path)} is not a name that we take.")


def _read(folder: int, name: str, path: str, largest: int, *, from_medium: bool) -> bytes:
    # O_NONBLOCK: a pipe put in the file's place since it was looked at must not hold us.
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CeremonyError("MEDIUM-LINK", f"{shown_text(path)} is a link or a special file.")
        if from_medium and hasattr(os, "posix_fadvise"):
            # The page cache gives back what we wrote, not what the medium holds; the kernel drops clean pages on this advice.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        octets = file.read(largest + 1)
    if len(octets) > largest:
        raise CeremonyError("MEDIUM-TOO-LARGE", f"{shown_text(path)} is larger than {largest} bytes.")
    return octets


def _write_tree(folder: Path, files: dict[str, bytes], *, public: bool) -> None:
    folders = sorted({folder, *(above for path in files for above in (folder / path).parents if above.is_relative_to(folder))})
    for new in folders:
        new.mkdir(mode=0o700)
    for path, octets in files.items():
        write_new(folder / path, octets)
        if public:
            _let_all_read(folder / path, 0o644)
    for made in reversed(folders):
        if public:
            _let_all_read(made, 0o755)
        sync_folder(made)


def _let_all_read(path: Path, mode: int) -> None:
    # FAT has no modes of its own and may refuse the call; there the mount decides.
    with suppress(PermissionError):
        path.chmod(mode)


def _must_hold_only(outbox: Path, ceremony: object) -> None:
    for entry in sorted(outbox.iterdir()):
        if entry.name == "lost+found":
            continue
        manifest = entry / "manifest.json"
        ours = not entry.is_symlink() and _is_there(manifest) and ceremony is not None
        if not ours or _ceremony_of(_beginning(manifest)) != ceremony:
            what = f"The medium at {outbox} holds {shown_text(entry.name)}, which is no bundle of this ceremony."
            raise CeremonyError("MEDIUM-NOT-EMPTY", what)


def _ceremony_of(manifest: bytes) -> object:
    try:
        value = parse_json(manifest.removesuffix(b"\n"))
    except NotCanonical:
        return None
    return value.get("ceremony") if isinstance(value, dict) else None


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST_MANIFEST)


def _must_have_room(outbox: Path, files: dict[str, bytes]) -> None:
    system = os.statvfs(outbox)
    block = system.f_frsize or 4096
    # One block more for each file and folder: its last, half-filled block and its entry.
    needed = sum(len(octets) // block + 2 for octets in files.values()) * block
    free = system.f_bavail * block
    if free < needed:
        raise CeremonyError("MEDIUM-FULL", f"The medium at {outbox} has {free} bytes free; the bundle needs {needed}.")


def _must_equal(folder: Path, files: dict[str, bytes]) -> None:
    found = dict(_files(folder, _BUNDLE_CAPS, from_medium=True))
    different = sorted(path for path in files.keys() | found.keys() if files.get(path) != found.get(path))
    if different:
        raise CeremonyError("MEDIUM-DIFFERS", f"What was read back from {folder} differs from the bundle: {shown_text(different[0])}.")


def _is_there(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False


@contextmanager
def _reading(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failed:
        if failed.errno == errno.ELOOP:
            raise CeremonyError("MEDIUM-LINK", f"{place}, or something in it, is a link.") from failed
        raise CeremonyError("MEDIUM-GONE", f"{place} could not be read: {failed.strerror}.") from failed


@contextmanager
def _writing(outbox: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failed:
        _refuse(outbox, failed)


def _refuse(outbox: Path, failed: OSError) -> NoReturn:
    state = "Nothing of the copy is left on the medium, unless it was pulled out. The sealed bundle in the ceremony's folder is unchanged."
    match failed.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            code, what = "MEDIUM-FULL", "is full"
        case errno.EROFS | errno.EACCES | errno.EPERM:
            code, what = "MEDIUM-READ-ONLY", f"can't be written to ({failed.strerror})"
        case _:
            code, what = "MEDIUM-GONE", f"can't be used ({failed.strerror})"
    raise CeremonyError(code, f"The medium at {outbox} {what}.", state=state) from failed
