"""Intermediates to issue from: accepted factories under made-up roots, with keys in files and on a SoftHSM token."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ceremony.factory.folder import read_factory
from ceremony.factory.request import request_in_file, request_on_token, wanted
from ceremony.factory.token import login, opened_token
from ceremony.machine.clock import now
from ceremony.pki.profiles import KeyName
from hsm.softhsm import find_softhsm
from tests.factory.given import ALPHA, PASSPHRASE, PIN, TOKEN, FactoryToken, secret_file
from tests.factory.issuing import certify
from tests.factory.made_up import Root

PROCESSORS = len(os.sched_getaffinity(0))


class Factory(NamedTuple):
    """An accepted intermediate, and what leads the command to its key: the file of its secret, the module's path and its environment."""

    kind: KeyName
    folder: Path
    secret: Path
    module: Path
    environ: dict[str, str]


@contextmanager
def working_folder() -> Iterator[Path]:
    """A folder on a disk, which /tmp need not be; it is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-", dir="/var/tmp"))  # noqa: S108  # a new one, nobody else's to read
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def in_file(folder: Path, kind: KeyName) -> Factory:
    """One with its key in an encrypted file below `folder`."""
    secret, place = secret_file(folder, PASSPHRASE), folder / f"file-{_word(kind)}"
    request_in_file(wanted(place, "alpha.1", ALPHA, kind, ""), bytearray(PASSPHRASE.encode()), now)
    certify(read_factory(place), Root())
    return Factory(kind, place, secret, Path(), {})


def on_softhsm(folder: Path, kinds: Sequence[KeyName]) -> list[Factory]:
    """One for each kind of key, all on one SoftHSM token below `folder`; SOFTHSM2_CONF of this process leads to it from here on."""
    pin = secret_file(folder, PIN, name="pin")
    held = FactoryToken.made(find_softhsm(), folder / "softhsm")
    os.environ.update(held.environ)
    made = []
    for kind in kinds:
        name = f"token-{_word(kind)}"
        with opened_token(str(held.module), TOKEN, state="") as token:
            login(token, bytearray(PIN.encode()), state="")
            request_on_token(wanted(folder / name, name, ALPHA, kind, ""), token, held.module, name, existing=False, clock=now)
        certify(read_factory(folder / name), Root())
        made.append(Factory(kind, folder / name, pin, held.module, dict(held.environ)))
    return made


def _word(kind: KeyName) -> str:
    return kind.rpartition(":")[2]
