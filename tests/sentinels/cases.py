"""What is tried: commands that are given a secret, through good ends, refusals, bugs and deaths."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ceremony.room.sign_statement import REHEARSAL_PASSPHRASE
from hsm.client import Module
from hsm.softhsm import find_softhsm
from tests.device.field import Files, encrypted
from tests.e2e.commands import SCRIPTS
from tests.e2e.held import status
from tests.e2e.secrets_kept import made_up_pin
from tests.factory.given import ALPHA, PIN, TOKEN, FactoryToken, factory_in_file, secret_file
from tests.factory.issuing import certify
from tests.factory.made_up import Root
from tests.sentinels.watched import Left, watched
from tests.simulator.chains import device, intermediate, write_chain

ALL = os.environ.get("CEREMONY_ALL_SECRETS") == "1"
"""`make secrets`: the suite tries a part."""
ROOT_GENERATION = SCRIPTS / "root-generation.toml"
NEW, AGAIN = "New passphrase", "The same again: "
_PROMPT = re.compile(r"^(> |ORDER> |[^\n]*: )\Z", re.MULTILINE)


@dataclass
class Stage:
    """`given` is what a command is given, `place` holds what it leaves, `secret` is looked for there."""

    base: Path
    secret: str = field(default_factory=made_up_pin)

    @property
    def given(self) -> Path:
        (self.base / "given").mkdir(exist_ok=True)
        return self.base / "given"

    @property
    def place(self) -> Path:
        return self.base / "left"

    @property
    def wrong(self) -> str:
        """Typed in the secret's place: as bad to find, for it is the secret with a slip of a finger."""
        return self.secret + "x"

    def run(self, *arguments: Any, typed: tuple[tuple[str, str], ...] = (), **more: Any) -> Left:
        """The command, from its working folder."""
        return watched(self.place, *arguments, typed=typed, secrets=(self.secret,), **more)

    def token(self) -> FactoryToken:
        """A token whose user PIN is the secret."""
        made = FactoryToken.made(find_softhsm(), self.given / "softhsm")
        with Module.start(made.module, made.environ) as module:
            module.token(label=TOKEN).set_pin("user", bytearray(PIN.encode()), bytearray(self.secret.encode()))
        return made

    def factory(self) -> Path:
        """A factory's folder with its certificate; the secret is the passphrase of its key."""
        accepted = certify(factory_in_file(self.given / "alpha", passphrase=self.secret), Root())
        return accepted.factory.folder

    def device(self) -> Files:
        """A device whose key is under the secret."""
        leaf = device("d-1", intermediate("A"))
        chain, key = write_chain(self.given, "d-1", leaf, (intermediate("A"),))
        files = Files("d-1", chain, key, leaf)
        encrypted(files, self.secret)
        return files


@dataclass(frozen=True)
class Case:
    """`command` is its name in the table; `exit_codes` is how it may end. `in_the_suite`: tried each time the tests run."""

    command: str
    run: Callable[[Stage], Left]
    exit_codes: tuple[int, ...]
    in_the_suite: bool = False


# a person's credential


def credential_made(stage: Stage, again: str = "", **more: Any) -> Left:
    typed = ((NEW, stage.secret), (AGAIN, again or stage.secret))
    return stage.run("credential", "new", "Eva Lund", "-o", "eva.pem", "--card", "eva.pdf", typed=typed, **more)


def credential_on_a_token(stage: Stage, pin: str = "", bug: str = "") -> Left:
    made = stage.token()
    line = ("credential", "new", "Eva Lund", "--module", made.module, "--token", TOKEN)
    return stage.run(*line, typed=(("User PIN", pin or stage.secret),), environ=made.environ, bug=bug)


# a factory


def key_requested(stage: Stage, *, bug: str = "", from_file: bool = False) -> Left:
    line = ("factory", "request", "alpha.1", "-o", "alpha", "--subject", ALPHA)
    if from_file:
        return stage.run(*line, "--passphrase-file", secret_file(stage.given, stage.secret), bug=bug)
    return stage.run(*line, typed=((NEW, stage.secret), (AGAIN, stage.secret)), bug=bug)


def key_requested_on_a_token(stage: Stage, bug: str = "") -> Left:
    made = stage.token()
    line = ("factory", "request", "beta.1", "-o", "beta", "--subject", ALPHA, "--module", made.module, "--token", TOKEN)
    return stage.run(*line, typed=(("User PIN", stage.secret),), environ=made.environ, bug=bug)


def devices_issued(stage: Stage, typed: str = "", bug: str = "") -> Left:
    """The secret opens the intermediate's key, and is what the new files are encrypted by."""
    where = secret_file(stage.given, stage.secret)
    line = ("factory", "issue", stage.factory(), "-o", "out", "--count", "3", "--prefix", "d-", "--jobs", "1", "--pkcs12")
    files = ("--pkcs12-passphrase-file", where, "--encrypt-keys-passphrase-file", where)
    return stage.run(*line, *files, typed=(("Passphrase of", typed or stage.secret),), bug=bug)


# a device


def device_asks(stage: Stage, verb: str, typed: str = "", bug: str = "") -> Left:
    """The host is this machine, where nobody listens."""
    files = stage.device()
    line = ("device", verb, "--cert", files.chain, "--key", files.key, "--id-scope", "0ne00000000", "--host", "127.1.255.1")
    return stage.run(*line, "--time-limit", "5", typed=(("Passphrase of", typed or stage.secret),), bug=bug)


# a ceremony, in line mode


def in_lines(pin: str, *, stop_at: str = "", fingerprint: str = "") -> Callable[[str], str | None]:
    """Answers as people at a rehearsal do, with this PIN; at the prompt `stop_at` with `:pause`."""

    def answer(new: str) -> str | None:
        found = _PROMPT.search(new)
        if found is None:
            return None
        prompt = found[1]
        if stop_at and stop_at in prompt:
            return ":pause"
        if prompt not in ("> ", "ORDER> "):
            return REHEARSAL_PASSPHRASE if prompt.startswith("passphrase") else pin
        if "The last fingerprint from the paper" in new:
            return fingerprint
        kind, _, text = new.splitlines()[-2].partition(": ")
        return {"Type": text, "Choose": text.split(", ")[0]}.get(kind, "BAG-0042")

    return answer


def rehearsed(stage: Stage, stop_at: str = "", **more: Any) -> Left:
    """A whole rehearsal; or up to a prompt, where it is paused."""
    answer = in_lines(stage.secret, stop_at=stop_at)
    return stage.run("rehearse", ROOT_GENERATION, "--dir", "D", "--plain", answer=answer, **more)


def resumed(stage: Stage, **more: Any) -> Left:
    """Paused where a PIN was asked for, and gone on with to the end."""
    before = rehearsed(stage, stop_at="user PIN")
    fingerprint = status(stage.place / "work" / "D")["fingerprint"]
    left = stage.run("resume", "--dir", "D", "--plain", answer=in_lines(stage.secret, fingerprint=fingerprint), **more)
    left.shown, left.heard = before.shown + left.shown, before.heard + left.heard
    return left


def _quotes(function: str) -> str:
    return f"{function}:quotes"


def _dies(function: str) -> str:
    return f"{function}:dies"


OTHER = "another passphrase of good length"
_LOGIN, _INITIALISE = "hsm.client:Token.login", "hsm.client:Token.initialise"
_CREDENTIAL, _KEY = "ceremony.activation.credential_file:new_credential", "ceremony.factory.request:request_in_file"
_OPENED, _WORKERS, _LIBRARY = "ceremony.factory.key_file:key_of", "ceremony.factory.workers:ready", "ceremony.device.sdk:ask_library"

CASES: dict[str, Case] = {
    "a credential in a file": Case("credential new", credential_made, (0,)),
    "a credential, typed otherwise": Case("credential new", lambda stage: credential_made(stage, OTHER), (2,), True),
    "a credential, a bug": Case("credential new", lambda stage: credential_made(stage, bug=_quotes(_CREDENTIAL)), (1,), True),
    "a credential, death": Case("credential new", lambda stage: credential_made(stage, bug=_dies(_CREDENTIAL)), (-11,), True),
    "a credential on a token": Case("credential new", credential_on_a_token, (0,)),
    "a credential on a token, wrong PIN": Case("credential new", lambda stage: credential_on_a_token(stage, stage.wrong), (3,)),
    "a credential on a token, a bug": Case("credential new", lambda stage: credential_on_a_token(stage, bug=_quotes(_LOGIN)), (1,)),
    "a factory's key in a file": Case("factory request", key_requested, (0,)),
    "a factory's key, from a file": Case("factory request", lambda stage: key_requested(stage, from_file=True), (0,)),
    "a factory's key, a bug": Case("factory request", lambda stage: key_requested(stage, bug=_quotes(_KEY)), (1,)),
    "a factory's key on a token": Case("factory request", key_requested_on_a_token, (0,)),
    "a factory's key on a token, a bug": Case("factory request", lambda stage: key_requested_on_a_token(stage, bug=_quotes(_LOGIN)), (1,)),
    "devices under a key in a file": Case("factory issue", devices_issued, (0,)),
    "devices, wrong passphrase": Case("factory issue", lambda stage: devices_issued(stage, stage.wrong), (2,)),
    "devices, a bug": Case("factory issue", lambda stage: devices_issued(stage, bug=_quotes(_OPENED)), (1,)),
    "devices, death": Case("factory issue", lambda stage: devices_issued(stage, bug=_dies(_WORKERS)), (-11,)),
    "a device that nobody answers": Case("device register", lambda stage: device_asks(stage, "register"), (4,)),
    "a device, wrong passphrase": Case("device register", lambda stage: device_asks(stage, "register", stage.wrong), (2,), True),
    "a device, a bug": Case("device register", lambda stage: device_asks(stage, "register", bug=_quotes(_LIBRARY)), (1,)),
    "a device that connects to nobody": Case("device connect", lambda stage: device_asks(stage, "connect"), (4,)),
    "a device that connects, death": Case("device connect", lambda stage: device_asks(stage, "connect", bug=_dies(_LIBRARY)), (-11,)),
    "a whole rehearsal": Case("rehearse", rehearsed, (0,)),
    "a rehearsal, a bug at the login": Case("rehearse", lambda stage: rehearsed(stage, bug=_quotes(_LOGIN)), (1,)),
    "a rehearsal, a bug where PINs are set": Case("rehearse", lambda stage: rehearsed(stage, bug=_quotes(_INITIALISE)), (1,)),
    "a rehearsal, death": Case("rehearse", lambda stage: rehearsed(stage, bug=_dies(_INITIALISE)), (-11,)),
    "a rehearsal, death of the module's process": Case("rehearse", lambda stage: rehearsed(stage, kill="user PIN: "), (3,)),
    "gone on with": Case("resume", resumed, (0,)),
    "gone on with, a bug at the login": Case("resume", lambda stage: resumed(stage, bug=_quotes(_LOGIN)), (1,)),
}
"""By what is tried. "A bug" quotes the secret in its error; "death" is SIGSEGV with the secret in hand, where dumps of memory are kept."""
