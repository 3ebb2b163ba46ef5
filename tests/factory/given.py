"""What the tests of the factory start from: secrets, a token, and the command with what its environment needs."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self
from unittest import mock

from ceremony.factory.folder import Factory, read_factory
from ceremony.factory.request import request_in_file, request_on_token, wanted
from ceremony.factory.token import login, opened_token
from ceremony.machine.clock import now
from ceremony.pki.key_wrapping import Work
from hsm.client import Module
from hsm.softhsm import throw_away
from tests.e2e.commands import Ended, ceremony
from tests.hsm.given import USER_PIN, initialise

PASSPHRASE = "correct horse battery staple 7"
PIN = USER_PIN.decode()
TOKEN = "factory-1"
ALPHA = "CN=Example Devices Factory Alpha 1,O=Example"
BETA = "CN=Example Devices Factory Beta 1,O=Example"


class FactoryToken(NamedTuple):
    """A SoftHSM token with the label TOKEN and the user PIN PIN; `environ` leads a command to it."""

    module: Path
    serial: str
    environ: dict[str, str]

    @classmethod
    def made(cls, module: Path, folder: Path) -> Self:
        """A new one in a store of its own below `folder`."""
        environ = throw_away(folder)
        with Module.start(module, environ) as started:
            token = started.token(blank=True)
            initialise(token, TOKEN)
            return cls(module, token.info().serial, environ)

    @classmethod
    def at(cls, module: Path, folder: Path) -> Self:
        """One that was made before."""
        environ = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
        with Module.start(module, environ) as started:
            return cls(module, started.token(label=TOKEN).info().serial, environ)

    def options(self, folder: Path, *, pin: str = PIN) -> tuple[str | Path, ...]:
        """What leads `factory request` to this token; the PIN lies in a file of `folder`."""
        return ("--module", self.module, "--token", TOKEN, "--passphrase-file", secret_file(folder, pin, name="pin"))


class Certified(NamedTuple):
    """The folders `alpha` (key in a file) and `beta` (key on the token) below `folder`, and the bundle that certifies both."""

    folder: Path
    bundle: Path
    fingerprint: str
    token: FactoryToken

    def copy(self, name: str, to: Path) -> Path:
        """A folder to try things on."""
        return Path(shutil.copytree(self.folder / name, to / name))


def secret_file(folder: Path, secret: str, *, name: str = "passphrase", mode: int = 0o600) -> Path:
    """A file that holds a secret, as `--passphrase-file` takes it."""
    path = folder / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
    path.chmod(mode)
    return path


def done(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> Ended:
    """A command that must end well."""
    ended = ceremony(*arguments, environ=environ)
    assert ended.code == 0, ended
    return ended


def factory_in_file(folder: Path, name: str = "alpha.1", subject: str = ALPHA, passphrase: str = PASSPHRASE) -> Factory:
    """A new factory with its key in a file, made in this process; its passphrase is stretched little, to save time."""
    with mock.patch("ceremony.pki.key_wrapping.USUAL_WORK", Work(1 << 10, 8, 1)):
        request_in_file(wanted(folder, name, subject, "ec:secp256r1", ""), bytearray(passphrase.encode()), now)
    return read_factory(folder)


def factory_on_token(folder: Path, held: FactoryToken, name: str = "beta.1", subject: str = BETA) -> Factory:
    """A new factory with its key on the token, made in this process, whose environment leads to it."""
    with opened_token(str(held.module), TOKEN, state="") as token:
        login(token, bytearray(PIN.encode()), state="")
        request_on_token(wanted(folder, name, subject, None, ""), token, held.module, name, existing=False, clock=now)
    return read_factory(folder)
