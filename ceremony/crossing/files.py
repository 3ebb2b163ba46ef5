"""A folder of plain files: read whole and under caps, written whole or not at all, and its SHA256SUMS."""

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

SUMS = "SHA256SUMS"
"""The file that names the SHA-256 of every other file, in the form of coreutils' `sha256sum`."""


class Caps(NamedTuple):
    """What a folder may hold: bytes a file and in all, files, folders within each other."""

    largest_file: int
    largest_total: int
    most_files: int
    deepest: int


@dataclass
class Tree:
    """The files of a folder by their path with `/`, their bytes in all, and what else was found, in words fit for a screen."""

    files: dict[str, bytes] = field(default_factory=dict)
    size: int = 0
    problems: list[str] = field(default_factory=list)


def read_tree(folder: Path, caps: Caps) -> Tree:
    """Reads every regular file below `folder` once, following no link.

    Links (hard ones too), special files, empty folders and what exceeds the caps are problems, and are not read.
    Raises OSError when `folder` itself can't be opened.
    """
    tree = Tree()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _walk(descriptor, "", 1, caps, tree)
    finally:
        os.close(descriptor)
    return tree


def _walk(folder: int, prefix: str, depth: int, caps: Caps, tree: Tree) -> None:
    names = sorted(os.listdir(folder))
    if not names and prefix:
        tree.problems.append(f"{shown_text(prefix)} is an empty folder")
    for name in names:
        path = prefix + name
        if len(tree.files) + len(tree.problems) >= caps.most_files:
            tree.problems.append(f"more than {caps.most_files} files")
            return
        try:
            kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISDIR(kind):
                _enter(folder, name, path, depth, caps, tree)
            elif stat.S_ISREG(kind):
                _read(folder, name, path, caps, tree)
            else:
                tree.problems.append(f"{shown_text(path)} is a {'link' if stat.S_ISLNK(kind) else 'special file'}")
        except OSError as failed:
            tree.problems.append(f"{shown_text(path)} can't be read: {failed.strerror}")


def _enter(folder: int, name: str, path: str, depth: int, caps: Caps, tree: Tree) -> None:
    if depth >= caps.deepest:
        tree.problems.append(f"{shown_text(path)} lies deeper than {caps.deepest} folders")
        return
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        _walk(descriptor, path + "/", depth + 1, caps, tree)
    finally:
        os.close(descriptor)


def _read(folder: int, name: str, path: str, caps: Caps, tree: Tree) -> None:
    # O_NONBLOCK: a pipe that took the file's place since `stat` must not hold us up.
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        room = min(caps.largest_file, caps.largest_total - tree.size)
        if not stat.S_ISREG(facts.st_mode):
            tree.problems.append(f"{shown_text(path)} is a special file")
        elif facts.st_nlink > 1:
            tree.problems.append(f"{shown_text(path)} is a link: the file has another name too")
        elif len(octets := file.read(room + 1)) > room:
            tree.problems.append(f"{shown_text(path)} is larger than the {room} bytes allowed here")
        else:
            tree.files[path] = octets
            tree.size += len(octets)


def sums_of(files: Mapping[str, bytes]) -> bytes:
    """The SHA256SUMS of these files: `<hex>  <path>`, a line each, sorted by path; itself left out."""
    return "".join(f"{sha256_hex(files[path])}  {path}\n" for path in sorted(files) if path != SUMS).encode()


def problems_with_sums(files: Mapping[str, bytes]) -> list[str]:
    """What differs between SHA256SUMS and the files; nothing when it is the one that `sums_of` makes."""
    stored = files.get(SUMS)
    if stored is None:
        return [f"{SUMS} is missing"]
    if stored == (wanted := sums_of(files)):
        return []
    claimed, found = _digests(stored.decode("utf-8", "replace")), _digests(wanted.decode())
    problems = [f"{shown_text(path)} is named there but missing" for path in sorted(claimed.keys() - found)]
    problems += [f"{shown_text(path)} is not named there" for path in sorted(found.keys() - claimed)]
    problems += [f"{shown_text(path)} has another digest" for path in sorted(found.keys() & claimed) if claimed[path] != found[path]]
    return problems or [f"{SUMS} is not sorted by path, a line a file"]


def _digests(sums: str) -> dict[str, str]:
    return {path: digest for digest, _, path in (line.partition("  ") for line in sums.splitlines())}


def write_tree(target: Path, files: Mapping[str, bytes]) -> None:
    """Writes `files` below `target`, folders 0700 and files 0600: whole and flushed to the disk, or not at all.

    `target` must not exist; the folders above it are made. What an interrupted call left beside it is removed. Raises OSError.
    """
    begun = target.with_name(f".{target.name}.partial")
    if begun.exists():
        shutil.rmtree(begun)
    begun.mkdir(mode=0o700, parents=True)
    try:
        for path, octets in files.items():
            place = begun / path
            _make_folders(place.parent, begun)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(descriptor)
        for folder in [begun, *(place for place in begun.rglob("*") if place.is_dir())]:
            _sync_folder(folder)
        if target.exists():
            raise FileExistsError(f"{target} is there already")
        begun.rename(target)
        _sync_folder(target.parent)
    except OSError:
        shutil.rmtree(begun, ignore_errors=True)
        raise


def _make_folders(folder: Path, top: Path) -> None:
    # `mkdir(parents=True)` would give the ones in between the mode of the umask.
    if folder != top and not folder.exists():
        _make_folders(folder.parent, top)
        folder.mkdir(mode=0o700)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
