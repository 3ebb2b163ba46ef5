"""Module and token as the ceremony uses them. The module itself lives in a child process (`hsm.worker`).

Nothing here loads PKCS#11. A call is one request and one answer; a module that hangs or dies ends its child, and the
call raises MODULE-HANGS or MODULE-DIED with `outcome_unknown` where the act may have happened. Use from one thread.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

import msgspec

from hsm import pipe
from hsm.ending import wait_for_end
from hsm.errors import TokenError
from hsm.facts import AttributeReading, FoundKey, GeneratedKey, ModuleInfo, ObjectInfo, SignatureMade, TokenAbilities, TokenInfo
from hsm.module import checked_module
from hsm.profiles import profile_of
from hsm.softhsm import loader_environment

_Value = TypeVar("_Value")

IDLE_SECONDS: Final = 600.0
ANSWER_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 5.0
_WITHOUT_TIME_OUT: Final = frozenset({"login", "login-so", "set-pin", "reset-user-pin", "initialise", "wipe", "generate-key"})
_PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE")
_CHILD: Final = """
import importlib.util, sys
from pathlib import Path
folder = Path(sys.argv.pop(1))
spec = importlib.util.spec_from_file_location("hsm", folder / "__init__.py", submodule_search_locations=[str(folder)])
sys.modules["hsm"] = importlib.util.module_from_spec(spec)
from hsm.worker import main
main()
"""
"""`python -I` has no path of ours: the child takes this very package, wherever it is and whatever else is installed."""


class _Hello(msgspec.Struct, frozen=True):
    manufacturer: str
    description: str
    library_version: str
    cryptoki_version: str


class Module:
    """A started PKCS#11 module. A context manager: the end of the block logs out and ends the child."""

    info: ModuleInfo

    def __init__(self, child: "subprocess.Popen[bytes]", answer_seconds: float) -> None:
        self._child = child
        self._answer_seconds = answer_seconds
        self._number = 0
        self._received = bytearray()
        self._closed = False

    @classmethod
    def start(
        cls, path: Path, environment: Mapping[str, str], *, idle_seconds: float = IDLE_SECONDS, answer_seconds: float = ANSWER_SECONDS
    ) -> Self:
        """Checks the file, starts the child and the module in it.

        `environment` is all that the module sees beside PATH and the locale. A login ends by itself after `idle_seconds`
        without a call; a call ends after `answer_seconds`, but login, initialisation and key generation take their time.
        Raises MODULE-… errors.
        """
        real, sha256 = checked_module(path, environment)
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        child = subprocess.Popen(  # noqa: S603  # this Python, our own code, a path that was checked
            [sys.executable, "-I", "-c", _CHILD, str(Path(__file__).resolve().parent), str(real), str(idle_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**passed, **loader_environment(path), **environment},
        )
        module = cls(child, answer_seconds)
        try:
            # Of a start most is Python's, and how long that takes is not the module's doing.
            said = module._answer("start", 0, _Hello, seconds=max(answer_seconds, ANSWER_SECONDS))
        except TokenError:
            module.close()
            raise
        profile = profile_of(said.manufacturer, said.description)
        module.info = ModuleInfo(
            path=str(real),
            sha256=sha256,
            manufacturer=said.manufacturer,
            description=said.description,
            library_version=said.library_version,
            cryptoki_version=said.cryptoki_version,
            software=profile.software,
            profile=profile.name,
        )
        return module

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def process_id(self) -> int:
        """Of the child that holds the module."""
        return self._child.pid

    def tokens(self) -> list[TokenInfo]:
        """Every token the module sees, blank ones too."""
        return self.call("tokens", list[TokenInfo])

    def tokens_and_abilities(self) -> list[tuple[TokenInfo, TokenAbilities]]:
        """Every token that keys could be on, blank ones too, each with what it can do by its own word. No login, nothing is made."""
        return self.call("tokens-and-abilities", list[tuple[TokenInfo, TokenAbilities]])

    def token(self, *, serial: str | None = None, label: str | None = None, blank: bool = False) -> "Token":
        """The one token with this serial, label or both; `blank` looks among those not initialised.

        Without a serial, only initialised tokens are looked at unless `blank`. Raises TOKEN-NOT-FOUND, TOKEN-AMBIGUOUS.
        """
        return Token(self, self.call("choose", int, args={"serial": serial, "label": label, "blank": blank}))

    def close(self) -> None:
        """Logs out and ends the child; kills it when it does not end within five seconds. Never raises for a dead child."""
        if self._closed:
            return
        self._closed = True
        if self._child.poll() is None:
            try:
                self._send("close", 0, {}, ())
                self._answer("close", self._number, type(None), seconds=_CLOSE_SECONDS)
            except TokenError:
                self._child.kill()
        self._end()

    def _end(self) -> None:
        for end in (self._child.stdin, self._child.stdout):
            if end is not None:
                end.close()
        try:
            wait_for_end(self._child, _CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()

    # one call

    def call(
        self, verb: str, answer: type[_Value], *, token: int = 0, args: Mapping[str, Any] | None = None, secrets: Sequence[bytearray] = ()
    ) -> _Value:
        """One request to the child and its answer. Raises TokenError. For the methods of Module and Token."""
        if self._closed:
            raise TokenError("MODULE-CLOSED", "The module is closed.")
        self._send(verb, token, args or {}, secrets)
        return self._answer(verb, self._number, answer)

    def call_many(
        self, verb: str, answer: type[_Value], calls: Iterable[Mapping[str, Any]], *, token: int, window: int
    ) -> Iterator[_Value]:
        """The answers to many requests of one verb, in their order, with up to `window` of them in flight. For the methods of Token.

        The answers to `window` requests must fit into a pipe (64 KiB), or both sides wait for each other. Raises the TokenError of
        the first that fails; the answers to the rest are dropped by the next call, as those of a call that was broken off.
        """
        if self._closed:
            raise TokenError("MODULE-CLOSED", "The module is closed.")
        under_way: deque[int] = deque()
        for args in calls:
            self._send(verb, token, args, ())
            under_way.append(self._number)
            if len(under_way) == window:
                yield self._answer(verb, under_way.popleft(), answer)
        while under_way:
            yield self._answer(verb, under_way.popleft(), answer)

    def _send(self, verb: str, token: int, args: Mapping[str, Any], secrets: Sequence[bytearray]) -> None:
        assert self._child.stdin is not None  # noqa: S101  # made by start() with a pipe
        self._number += 1
        request = pipe.Request(
            number=self._number, verb=verb, token=token, args=dict(args), secrets=tuple(len(secret) for secret in secrets)
        )
        try:
            pipe.write_all(self._child.stdin.fileno(), [pipe.framed(request), *secrets])
        except pipe.PipeClosed:
            raise self._died(verb) from None

    def _answer(self, verb: str, number: int, kind: type[_Value], *, seconds: float | None = None) -> _Value:
        """Waits for the answer of this number. One with a lower number belongs to a call that was broken off by a signal."""
        limit = None if verb in _WITHOUT_TIME_OUT else seconds or self._answer_seconds
        deadline = None if limit is None else time.monotonic() + limit
        while True:
            message = self._message(verb, deadline)
            try:
                answer = msgspec.json.decode(message, type=pipe.Answer)
            except msgspec.DecodeError:
                raise self._senseless(verb) from None
            if answer.failure is not None and answer.number in (number, -1):
                failure = msgspec.structs.asdict(answer.failure)
                raise TokenError(failure.pop("code"), failure.pop("what"), **failure)
            if answer.number == number:
                return msgspec.json.decode(answer.value, type=kind)

    def _message(self, verb: str, deadline: float | None) -> bytes:
        while len(self._received) < 4:
            self._receive(verb, deadline)
        length = int.from_bytes(self._received[:4], "big")
        if length > pipe.LARGEST_MESSAGE:
            raise self._senseless(verb)
        while len(self._received) < 4 + length:
            self._receive(verb, deadline)
        message = bytes(self._received[4 : 4 + length])
        del self._received[: 4 + length]
        return message

    def _receive(self, verb: str, deadline: float | None) -> None:
        assert self._child.stdout is not None  # noqa: S101  # made by start() with a pipe
        descriptor = self._child.stdout.fileno()
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([descriptor], [], [], left)[0]:
            self._kill()
            what = f"The module did not answer to {verb!r} in time; its process was ended."
            raise TokenError("MODULE-HANGS", what, state=_unknown(verb), outcome_unknown=verb in pipe.ACTING)
        octets = os.read(descriptor, 1 << 16)
        if not octets:
            raise self._died(verb)
        self._received += octets

    def _kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def _senseless(self, verb: str) -> TokenError:
        self._kill()
        what = f"The process that holds the module answered {verb!r} with what is no answer, and was ended."
        return TokenError("MODULE-DIED", what, state=_unknown(verb), outcome_unknown=verb in pipe.ACTING)

    def _died(self, verb: str) -> TokenError:
        status = self._child.wait()
        how = f"by the signal {signal.Signals(-status).name}" if status < 0 else f"with the exit status {status}"
        what = f"The process that holds the module ended {how} during {verb!r}."
        return TokenError("MODULE-DIED", what, state=_unknown(verb), outcome_unknown=verb in pipe.ACTING)


def _unknown(verb: str) -> str:
    return "It is not known whether the token did it. Nobody is logged in." if verb in pipe.ACTING else "Nobody is logged in."


def _typed_here(*pins: bytearray | None) -> tuple[bytearray, ...]:
    """The PINs that go down the pipe: all of them, or none where they are typed on the token's own pad."""
    given = tuple(pin for pin in pins if pin is not None)
    if given and len(given) < len(pins):
        raise ValueError("PINs are typed either all here or all on the token's pad")
    return given


class Token:
    """One token, found by `Module.token`. Secrets are handed over as they are and are the caller's to wipe."""

    def __init__(self, module: Module, number: int) -> None:
        self._module = module
        self._number = number

    def _call(self, verb: str, answer: type[_Value], secrets: Sequence[bytearray] = (), **args: Any) -> _Value:
        return self._module.call(verb, answer, token=self._number, args=args, secrets=secrets)

    def info(self) -> TokenInfo:
        """What the token says of itself now. Raises TOKEN-REMOVED when another is in its place."""
        return self._call("info", TokenInfo)

    def abilities(self) -> TokenAbilities:
        """What it can do by its own word and its profile, a blank one too. Needs no login."""
        return self._call("abilities", TokenAbilities)

    def initialise(self, label: str, so_pin: bytearray | None, user_pin: bytearray | None, again: bool = False) -> TokenInfo:
        """Erases the token and sets label (1 to 32 bytes of UTF-8), SO PIN and user PIN; serial and label may change.

        Both PINs None: they are typed on the token's own pad. No time-out. Raises TOKEN-NOT-BLANK for a token that is initialised;
        with `again` only when an object is visible on it.
        """
        return self._call("initialise", TokenInfo, _typed_here(so_pin, user_pin), label=label, again=again)

    def wipe(self, label: str, so_pin: bytearray | None, *, last_try_too: bool = False) -> TokenInfo:
        """Erases a token that is in use, by its SO PIN (None: typed on the pad): no object and no user PIN is left. No time-out.

        Raises TOKEN-PIN-WRONG (costs a try) and the like, MECHANISM-MISSING where the token can't be wiped through PKCS#11.
        """
        return self._call("wipe", TokenInfo, _typed_here(so_pin), label=label, last_try_too=last_try_too)

    def login(self, user_pin: bytearray | None, *, last_try_too: bool = False) -> None:
        """Logs in as the user; None: the PIN is typed on the token's own pad. No time-out.

        Raises TOKEN-PIN-WRONG (costs a try), TOKEN-PIN-LAST-TRY unless `last_try_too`, TOKEN-PIN-LOCKED, TOKEN-PIN-LENGTH,
        TOKEN-BLANK, TOKEN-NO-PIN.
        """
        self._call("login", type(None), _typed_here(user_pin), last_try_too=last_try_too)

    def login_so(self, so_pin: bytearray | None, *, last_try_too: bool = False) -> None:
        """Proves the SO PIN: the security officer is logged in and out again, and a login of the user ends. In all else as `login`."""
        self._call("login-so", type(None), _typed_here(so_pin), last_try_too=last_try_too)

    def set_pin(self, who: Literal["user", "so"], old: bytearray | None, new: bytearray | None, *, last_try_too: bool = False) -> None:
        """Changes the user PIN or the SO PIN by the old one. Both None: typed on the token's own pad. Nobody is logged in afterwards.

        A wrong old PIN costs a try, as in `login`. When the outcome is unknown, the old or the new PIN is in force. No time-out.
        """
        self._call("set-pin", type(None), _typed_here(old, new), who=who, last_try_too=last_try_too)

    def reset_user_pin(self, so_pin: bytearray | None, new_user_pin: bytearray | None, *, last_try_too: bool = False) -> None:
        """Sets the user PIN by the SO PIN, whatever it was before. Both None: typed on the token's own pad. Nobody is logged in afterwards.

        A wrong SO PIN costs one of its tries, as in `login`. When the outcome is unknown, the old or the new user PIN is in force.
        """
        self._call("reset-user-pin", type(None), _typed_here(so_pin, new_user_pin), last_try_too=last_try_too)

    def logout(self) -> None:
        """Logs out; nothing happens when nobody is logged in."""
        self._call("logout", type(None))

    @property
    def logged_in(self) -> bool:
        """Whether the login still holds; False when the child is gone. Asking keeps no login alive."""
        try:
            return self._call("logged-in", bool)
        except TokenError:
            return False

    def inventory(self) -> list[ObjectInfo]:
        """Every object on the token. Needs a login, or private ones would be missing."""
        return self._call("inventory", list[ObjectInfo])

    def generate_key(self, key: str, label: str, key_id: bytes) -> GeneratedKey:
        """Makes a key pair ("ec:secp384r1", "rsa:4096", …) that signs and does nothing else. Needs a login. No time-out.

        Raises KEY-EXISTS when an object has this label or id, KEY-ATTRIBUTE when the token made it otherwise than asked,
        MECHANISM-MISSING, TOKEN-FULL.
        """
        return self._call("generate-key", GeneratedKey, key=key, label=label, key_id=key_id.hex())

    def find_key(self, key_id: bytes) -> FoundKey | None:
        """What stands under this CKA_ID: a pair, a half left by a crash, or nothing. Needs a login."""
        return self._call("find-key", FoundKey | None, key_id=key_id.hex())  # type: ignore[arg-type]  # a union is not a type to mypy, but is to msgspec

    def attributes(self, key_id: bytes) -> dict[str, AttributeReading]:
        """The attributes of the pair as they are now, beside what we ask for. Needs a login. Raises KEY-NOT-FOUND."""
        return self._call("attributes", dict[str, AttributeReading], key_id=key_id.hex())

    def sign(self, key_id: bytes, algorithm: str, message: bytes) -> SignatureMade:
        """Signs the message: "ecdsa-sha256|384|512" or "rsa-pkcs1-sha256|384|512". Needs a login. The caller verifies.

        After a failed call nobody is logged in. Raises KEY-NOT-FOUND, MECHANISM-MISSING, SIGNATURE-MALFORMED.
        """
        return self._call("sign", SignatureMade, key_id=key_id.hex(), algorithm=algorithm, message=message.hex())

    def sign_many(self, key_id: bytes, algorithm: str, messages: Iterable[bytes], *, window: int = 8) -> Iterator[SignatureMade]:
        """`sign` for many messages, in their order, with up to `window` requests in flight: the token need not wait for us.

        Ends at the first that fails, when nobody is logged in any more: requests that were on their way are refused then. What is
        made of signatures that nobody took from the iterator is nobody's to know: they are lost.
        """
        calls = ({"key_id": key_id.hex(), "algorithm": algorithm, "message": message.hex()} for message in messages)
        yield from self._module.call_many("sign", SignatureMade, calls, token=self._number, window=window)

    def random(self, length: int) -> bytes:
        """Bytes from the token's generator; needs no login."""
        return self._call("random", bytes, length=length)

    def destroy(self, key_id: bytes) -> None:
        """Destroys both halves of the key, or the half that is there. Needs a login. Raises KEY-NOT-FOUND."""
        self._call("destroy", type(None), key_id=key_id.hex())
