"""The room of a ceremony on a PKCS#11 token: it does the acts that steps ask for, and holds the login."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ceremony.engine.step import Act, AskSecret, PinInForce
from ceremony.errors import CeremonyError
from ceremony.machine.clock import now
from ceremony.machine.folder import CeremonyFolder
from ceremony.machine.site import Site
from ceremony.room.describe import describe
from ceremony.room.failures import telling
from ceremony.room.pins import given
from ceremony.room.room_secrets import wipe
from ceremony.room.verbs import VERBS
from ceremony.script import Script
from ceremony.transcript import Moment
from hsm.client import Module, Token
from hsm.facts import TRIES_IN_WORDS, TokenInfo
from hsm.softhsm import find_softhsm

IDLE_SECONDS = 600
"""A login ends after ten idle minutes (design, rule 12)."""

_NOT_DONE = "What was asked for was not done. The record is whole, and says so."
_BEGUN = "It is not known whether this was done. The record is whole, and holds that it was begun."


@dataclass(kw_only=True)
class TokenRoom:
    """A Room (see engine.step) around one PKCS#11 module, one token, one folder and two media.

    `module` and `environment` name the PKCS#11 library and what its process gets. `serial` is that of the token in
    use; "" before one is. `removed` are the names of environment variables that hardening took away. `began` is when this
    session began: the clock must be steady since then (design, rule 9); nor can it stand before `recorded_until`, the time of the last
    line of the session before ("" in the first). `last_try_too`: the act that is done now may use the last try of a PIN, as somebody
    said. `credentials` is where people's own media are mounted. `clock` is the machine's, which people agree on.
    """

    folder: CeremonyFolder
    script: Script
    site: Site
    module_path: Path
    environment: dict[str, str]
    rehearsal: bool
    inbox: Path | None
    outbox: Path | None
    credentials: Path | None = None
    serial: str = ""
    ceremony: str = ""
    removed: tuple[str, ...] = ()
    to_be_initialised_again: str = ""
    last_try_too: bool = False
    monotonic: Callable[[], float] = time.monotonic
    clock: Callable[[], Moment] = now
    began: Moment = field(default_factory=now)
    recorded_until: str = ""
    _module: Module | None = field(default=None, init=False)
    _token: Token | None = field(default=None, init=False)
    _last_used: float = field(default=0.0, init=False)

    @property
    def softhsm(self) -> Path:
        """The module of the tokens with credentials that a rehearsal makes up: its own, or SoftHSM where that is another."""
        return self.module_path if "SOFTHSM2_CONF" in self.environment else find_softhsm()

    @property
    def module(self) -> Module:
        """The module's process, started when first needed and anew when it has died. Raises CeremonyError."""
        if self._module is None:
            with telling("The record is unchanged."):
                self._module = Module.start(self.module_path, self.environment)
        return self._module

    @property
    def token(self) -> Token:
        """The token in use, found by its serial. Raises CeremonyError TOKEN-NOT-FOUND, TOKEN-AMBIGUOUS and the like."""
        if self._token is None:
            with telling("Nothing was done on any token."):
                self._token = self.module.token(serial=self.serial or self.site.tokens.get("primary"))
        return self._token

    @property
    def unlocked(self) -> bool:
        """Whether the token is open for this process; an idle login is ended first."""
        if self._token is None:
            return False
        try:
            with self._telling(""):
                logged_in = self._token.logged_in
        except CeremonyError:
            return False
        if not logged_in:
            return False
        if self.monotonic() - self._last_used > IDLE_SECONDS:
            self.lock()
            return False
        return True

    def use(self, token: Token, serial: str) -> None:
        """Takes this token as the one in use."""
        self._token, self.serial = token, serial

    def describe(self) -> dict[str, Any]:
        """Program, packages, module, machine, system: for `opened` and `resumed`."""
        with self._telling("Nothing was done on any token."):
            tokens = self.module.tokens()
        return describe(self.module.info, tokens, self.removed)

    def do(self, act: Act, secret: AskSecret, insist: bool = False) -> dict[str, Any]:
        """Does the act by its verb. Raises CeremonyError; a dead or hanging module is started anew at the next act."""
        self.last_try_too = insist
        try:
            with self._telling(""):
                result = VERBS[act.verb].do(self, act.args, secret)
        except CeremonyError as failed:
            failed.state = failed.state or (_BEGUN if failed.outcome_unknown else _NOT_DONE)
            raise
        if act.login:
            self._last_used = self.monotonic()
        return result

    def do_all(self, acts: Sequence[Act], secret: AskSecret) -> tuple[list[dict[str, Any]], CeremonyError | None]:
        """Does them in order until one fails, with one flush for the files of all. What can't be flushed is not done."""
        values: list[dict[str, Any]] = []
        try:
            with self.folder.together():
                for act in acts:
                    try:
                        values.append(self.do(act, secret))
                    except CeremonyError as failed:
                        return values, failed
        except CeremonyError as unwritable:
            return [], unwritable
        return values, None

    def look_for(self, act: Act) -> dict[str, Any] | None:
        """The result of an act that was done before an interruption and can be adopted."""
        with self._telling("The record is unchanged."):
            return VERBS[act.verb].look_for(self, act.args)

    def left_by(self, act: Act) -> dict[str, Any] | None:
        """What an interrupted act left that may not be adopted."""
        with self._telling("The record is unchanged."):
            return VERBS[act.verb].left_by(self, act.args)

    def undo(self, act: Act, secret: AskSecret) -> None:
        """Destroys what `left_by` told of."""
        with self._telling("Look at the token's inventory (`ceremony tokens`) before going on."):
            VERBS[act.verb].undo(self, act.args, secret)

    def unlock(self, secret: AskSecret, insist: bool, pin: PinInForce, givers: tuple[str, ...]) -> dict[str, Any]:
        """Logs in with the user PIN; the tries left are shown before it is asked for. Returns the token's facts."""
        info = self.token_info()
        shown = (f"Token {info.label!r}, serial {info.serial}.", f"Tries: {TRIES_IN_WORDS[info.pin_tries]}.")
        typed = given(self, "user", pin, self.keeper_of_pin, givers, pin.set, info, secret, shown)
        try:
            with self._telling("The token is locked; nothing else was done."):
                self.token.login(typed, last_try_too=insist)
        finally:
            wipe(typed)
        self._last_used = self.monotonic()
        return self.token_info().facts()

    @property
    def keeper_of_pin(self) -> str:
        """Who types the PIN: the crypto officer, or the administrator where there is none."""
        by_role = {participant.role: participant.id for participant in reversed(self.script.participants)}
        return by_role.get("crypto-officer") or by_role["administrator"]

    def token_info(self) -> TokenInfo:
        """What the token says of itself now. Raises CeremonyError."""
        with self._telling("Nothing was done on any token."):
            return self.hardware(self.token.info())

    def hardware(self, info: TokenInfo) -> TokenInfo:
        """The same facts. Raises CeremonyError: a production run has no business on a software token, a rehearsal none on a real one."""
        if info.software and not self.rehearsal:
            what = f"The token {info.serial} ({info.model}) keeps keys in software."
            raise CeremonyError("MODULE-IS-SOFTWARE", what, state="Nothing was done on it.")
        if self.rehearsal and not info.software:
            what = f"The token {info.serial} ({info.model}) is not known to keep keys in software."
            raise CeremonyError("MODULE-NOT-SOFTWARE", what, state="Nothing was done on it.")
        return info

    def lock(self) -> None:
        """Logs out; never raises: a module that cannot log out is ended, and with it its login."""
        if self._token is None:
            return
        try:
            with telling(""):
                self._token.logout()
        except CeremonyError:
            self.restart()

    def restart(self) -> None:
        """Ends the module's process, and with it every login; the next act starts it anew."""
        if self._module is not None:
            self._module.close()
        self._module = self._token = None

    def close(self) -> None:
        """The teardown of every way out: locked, children ended."""
        self.lock()
        self.restart()

    @contextmanager
    def _telling(self, state: str) -> Iterator[None]:
        """As `telling`; a module that died, hangs or leaves an outcome unknown is ended, so that the next act starts it anew."""
        try:
            with telling(state):
                yield
        except CeremonyError as failed:
            if failed.code.startswith("MODULE-") or failed.outcome_unknown:
                self.restart()
            raise
