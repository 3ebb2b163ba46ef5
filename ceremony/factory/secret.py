"""Passphrases and PINs of the factory: from a file that its owner alone may read, or typed without echo. Never an argument."""

import getpass
import os
import stat
import sys
import warnings
from pathlib import Path

from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

SHORTEST_PASSPHRASE = 15
"""Characters of a new passphrase (NIST SP 800-63B-4 section 3.1.1.2: 15 where a password is the only factor)."""
LONGEST_SECRET = 1024
"""Bytes of a passphrase or a PIN, in a file or typed."""

_UNTOUCHED = "Nothing was written."


def secret_from(passphrase_file: Path | None, prompt: str) -> bytearray:
    """The secret, UTF-8; the caller wipes it, or hands it to one who does.

    A file is regular, its owner's (or root's) alone to read, and one line, whose end is not part of the secret. Without a
    file it is typed at the terminal. Raises CeremonyError SECRET-FILE, and SECRET-NEEDS-PERSON without a terminal.
    """
    return _typed(prompt) if passphrase_file is None else _read(passphrase_file)


def new_passphrase_from(passphrase_file: Path | None, prompt: str) -> bytearray:
    """The same for a passphrase that is to protect something new: not too short, and typed twice.

    Raises CeremonyError PASSPHRASE-REFUSED too.
    """
    secret = secret_from(passphrase_file, prompt)
    # Characters of UTF-8, counted without making a text of it, which nobody could wipe.
    length = sum(octet & 0xC0 != 0x80 for octet in secret)
    if length < SHORTEST_PASSPHRASE:
        wipe(secret)
        what = f"The passphrase has {length} characters, and at least {SHORTEST_PASSPHRASE} are wanted."
        raise CeremonyError("PASSPHRASE-REFUSED", what, state=_UNTOUCHED)
    if passphrase_file is None:
        again = _typed("The same again: ")
        agrees = again == secret
        wipe(again)
        if not agrees:
            wipe(secret)
            raise CeremonyError("PASSPHRASE-REFUSED", "The two passphrases do not agree.", state=_UNTOUCHED)
    return secret


def wipe(secret: bytearray) -> None:
    """Overwrites a secret in place."""
    secret[:] = bytes(len(secret))


def _read(path: Path) -> bytearray:
    try:
        # O_NONBLOCK: a pipe in the file's place must not hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as failed:
        raise _refused(path, f"it can't be read: {failed.strerror}") from failed
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise _refused(path, "it is not a regular file")
        if facts.st_mode & 0o077:
            mode = f"its permissions are {stat.S_IMODE(facts.st_mode):04o}: others than its owner may reach it"
            raise _refused(path, mode, do_now=f"chmod 600 {shown_text(str(path))}")
        if facts.st_uid not in (os.geteuid(), 0):
            raise _refused(path, "it belongs to another user")
        secret = bytearray(LONGEST_SECRET + 2)
        length = os.readv(descriptor, [secret])
    finally:
        os.close(descriptor)
    del secret[length:]
    for end in (b"\n", b"\r"):
        if secret.endswith(end):
            del secret[-1:]
    problem = _problem(secret)
    if problem:
        wipe(secret)
        raise _refused(path, problem)
    return secret


def _typed(prompt: str) -> bytearray:
    if not sys.stdin.isatty():
        raise _needs_person("A passphrase or PIN is typed at a terminal, and standard input is none.")
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            secret = bytearray(getpass.getpass(shown_text(prompt), sys.stderr).encode(errors="surrogateescape"))
        except getpass.GetPassWarning as echoes:
            raise _needs_person("This terminal cannot hide what is typed.") from echoes
        except EOFError as ended:
            raise _needs_person("The terminal ended before anything was typed.") from ended
    if problem := _problem(secret):
        wipe(secret)
        raise CeremonyError("PASSPHRASE-REFUSED", f"What was typed is refused: {problem}.", state=_UNTOUCHED)
    return secret


def _problem(secret: bytearray) -> str:
    if not secret:
        return "it is empty"
    if len(secret) > LONGEST_SECRET:
        return f"it has more than {LONGEST_SECRET} bytes"
    if b"\n" in secret or b"\r" in secret or b"\0" in secret:
        return "it has more than one line, or a character that is none of a passphrase"
    return ""


def _needs_person(what: str) -> CeremonyError:
    do_now = "Give the command in a terminal, or name a file that you alone may read with --passphrase-file FILE."
    return CeremonyError("SECRET-NEEDS-PERSON", what, state=_UNTOUCHED, do_now=do_now)


def _refused(path: Path, why: str, *, do_now: str = "") -> CeremonyError:
    what = f"The passphrase file {shown_text(str(path))} is refused: {why}."
    return CeremonyError("SECRET-FILE", what, state=_UNTOUCHED, do_now=do_now)
