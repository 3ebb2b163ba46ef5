"""The child: the only process that loads the PKCS#11 module. One thread calls it; a request in, an answer out.

It holds the login, so that neither a hanging nor a crashing module takes the ceremony with it, and no PIN ever
was in the process that draws the screen. It ends when its parent does.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import msgspec
import pkcs11

from hsm import keys, pipe
from hsm.errors import TokenError
from hsm.facts import TokenInfo
from hsm.library import Library
from hsm.present import present_tokens
from hsm.sidecar import protect_this_process
from hsm.token import HeldToken

_DOING: Final = {
    "tokens": "listing the tokens",
    "choose": "looking for the token",
    "info": "asking the token who it is",
    "abilities": "asking the token what it can do",
    "initialise": "initialising the token",
    "wipe": "wiping the token",
    "login": "logging in",
    "login-so": "logging in",
    "set-pin": "changing the PIN",
    "reset-user-pin": "setting the user PIN",
    "logout": "logging out",
    "inventory": "listing the objects",
    "generate-key": "making the key",
    "find-key": "looking for the key",
    "attributes": "reading the key's attributes",
    "sign": "signing",
    "random": "asking for random bytes",
    "destroy": "destroying the key",
}
_NO_USE: Final = frozenset({"tokens", "tokens-and-abilities", "choose", "info", "abilities", "logged-in"})
"""Verbs that only look: they keep no login alive."""
_SECONDS_FOR_TEARDOWN: Final = 5


class Worker:
    """The module, the tokens chosen so far, and what each verb does."""

    def __init__(self, path: str) -> None:
        self._started = Library(path)
        self._sidecar = self._started.sidecar
        self._library = self._started.calls
        self._tokens: list[HeldToken] = []

    def hello(self) -> dict[str, str]:
        """C_GetInfo."""
        library = self._library
        return {
            "manufacturer": library.manufacturer_id,
            "description": library.library_description,
            "library_version": "{}.{}".format(*library.library_version),
            "cryptoki_version": "{}.{}".format(*library.cryptoki_version),
        }

    @property
    def logged_in(self) -> bool:
        """Whether any token is logged in to."""
        return any(token.logged_in for token in self._tokens)

    def expire_logins(self) -> None:
        """Ends every login."""
        for token in self._tokens:
            token.expire_login()

    def close(self) -> None:
        """Logs out, closes the sessions, ends the module."""
        for token in self._tokens:
            token.drop_session()
        self._started.end()

    def answer(self, request: pipe.Request, secrets: list[bytearray]) -> Any:
        """Does what is asked. Raises TokenError."""
        if request.verb == "tokens":
            return list(self._present().values())
        if request.verb == "tokens-and-abilities":
            slots = [slot for slot, info in self._present().items() if not _holds_nothing(info)]
            tokens = [HeldToken(self._library, self._sidecar, slot) for slot in slots]
            return [(token.info(), token.abilities()) for token in tokens]
        if request.verb == "choose":
            return self._choose(**request.args)
        token = self._tokens[request.token - 1]
        try:
            return self._verbs(token, secrets)[request.verb](**request.args)
        except pkcs11.PKCS11Error as error:
            failed = keys.as_token_error(error, _DOING[request.verb])
            token.after_error(failed, acting=request.verb in pipe.ACTING)
            raise failed from error
        except TokenError as failed:
            token.after_error(failed, acting=request.verb in pipe.ACTING)
            raise

    @staticmethod
    def _verbs(token: HeldToken, secrets: list[bytearray]) -> dict[str, Callable[..., Any]]:
        # No secret comes where PINs are typed on the token's own pad.
        one, two = (secrets[0], secrets) if secrets else (None, (None, None))
        return {
            "info": token.info,
            "abilities": token.abilities,
            "initialise": lambda label, again: token.initialise(label, *two, again=again),
            "wipe": lambda label, last_try_too: token.wipe(label, one, last_try_too=last_try_too),
            "login": lambda last_try_too: token.login(one, last_try_too=last_try_too),
            "login-so": lambda last_try_too: token.login_so(one, last_try_too=last_try_too),
            "set-pin": lambda who, last_try_too: token.set_pin(who, *two, last_try_too=last_try_too),
            "reset-user-pin": lambda last_try_too: token.reset_user_pin(*two, last_try_too=last_try_too),
            "logout": token.logout,
            "logged-in": lambda: token.logged_in,
            "inventory": token.inventory,
            "generate-key": lambda key, label, key_id: token.generate_key(key, label, bytes.fromhex(key_id)),
            "find-key": lambda key_id: token.find_key(bytes.fromhex(key_id)),
            "attributes": lambda key_id: token.attributes(bytes.fromhex(key_id)),
            "sign": lambda key_id, algorithm, message: token.sign(bytes.fromhex(key_id), algorithm, bytes.fromhex(message)),
            "random": token.random,
            "destroy": lambda key_id: token.destroy(bytes.fromhex(key_id)),
        }

    def _present(self) -> dict[int, TokenInfo]:
        return present_tokens(self._sidecar, (self._library.manufacturer_id, self._library.library_description))

    def _choose(self, serial: str | None, label: str | None, blank: bool) -> int:
        said = {"the serial": serial, "the label": label, "no": "initialisation yet" if blank else None}
        wanted = " and ".join(f"{name} {value}" for name, value in said.items() if value is not None) or "an initialisation"
        present = self._present()
        slots = [
            slot
            for slot, info in present.items()
            if not _holds_nothing(info)
            and (serial is None or info.serial == serial)
            and (label is None or info.label == label)
            and (info.initialised != blank or (serial is not None and not blank))
        ]
        if len(slots) > 1 and not blank:
            # tpm2-pkcs11 gives every token of a TPM one serial, and there is always a blank one too.
            slots = [slot for slot in slots if present[slot].initialised]
        if not slots:
            raise TokenError("TOKEN-NOT-FOUND", f"No token with {wanted} is there.")
        if len(slots) > 1:
            raise TokenError("TOKEN-AMBIGUOUS", f"{len(slots)} tokens with {wanted} are there.")
        self._tokens.append(HeldToken(self._library, self._sidecar, slots[0]))
        return len(self._tokens)


def _holds_nothing(info: TokenInfo) -> bool:
    """Write-protected and without a login: NSS shows its algorithms as a token of this kind, with the serial of the one that has keys."""
    return "WRITE_PROTECTED" in info.flags and "LOGIN_REQUIRED" not in info.flags


class _Watch:
    """Ends this process when the parent is gone: at once in the middle of a call, so that nothing is done that nobody waits for."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self.busy = False

    def start(self) -> None:
        """A thread of its own, which never calls the module."""
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        hung_up = select.poll()
        hung_up.register(self._requests, 0)
        hung_up.poll()
        if not self.busy:
            time.sleep(_SECONDS_FOR_TEARDOWN)
        os._exit(1)


def _failure(error: TokenError) -> pipe.Failure:
    return pipe.Failure(
        code=error.code,
        what=error.what,
        state=error.state,
        do_now=error.do_now,
        costs_a_try=error.costs_a_try,
        outcome_unknown=error.outcome_unknown,
        ckr=error.ckr,
    )


def serve(path: str, idle_seconds: float, requests: int, answers: int) -> None:
    """Answers requests until "close" or the end of the pipe. Raises PipeClosed when the parent is gone."""

    def send(number: int, value: Any = None, failure: pipe.Failure | None = None) -> None:
        answer = pipe.Answer(number=number, value=msgspec.Raw(msgspec.json.encode(value)), failure=failure)
        pipe.write_all(answers, [pipe.framed(answer)])

    watch = _Watch(requests)
    watch.start()
    try:
        worker = Worker(path)
    except TokenError as error:
        send(0, failure=_failure(error))
        return
    send(0, worker.hello())
    try:
        last_use = time.monotonic()
        while True:
            idle_left = max(0.0, last_use + idle_seconds - time.monotonic()) if worker.logged_in else None
            if not select.select([requests], [], [], idle_left)[0]:
                worker.expire_logins()
                continue
            request, secrets = pipe.read_request(requests)
            if request.verb == "close":
                break
            watch.busy = True
            try:
                send(request.number, worker.answer(request, secrets))
            except TokenError as error:
                send(request.number, failure=_failure(error))
            finally:
                watch.busy = False
                last_use = last_use if request.verb in _NO_USE else time.monotonic()
                for secret in secrets:
                    pipe.wipe(secret)
    finally:
        worker.close()
    send(request.number)


def main() -> None:
    """Arguments: the module's path, idle seconds. Standard input and output are the pipe and are hidden from the module."""
    protect_this_process()
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)

    def tell_where(kind: type[BaseException], _: BaseException, trace: TracebackType | None) -> None:
        if serving:
            # An exception that python-pkcs11 could not raise out of a destructor is printed by this hook and over with.
            return
        # The type and the place only: an exception's text or a frame's values might hold what is secret.
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else ""
        failure = pipe.Failure(code="MODULE-MISUSED", what=f"The child that holds the module ended by a defect: {kind.__name__}{place}.")
        pipe.write_all(answers, [pipe.framed(pipe.Answer(number=-1, failure=failure))])

    sys.excepthook = tell_where
    serving = True
    try:
        serve(sys.argv[1], float(sys.argv[2]), requests, answers)
    except pipe.PipeClosed:
        sys.exit(1)
    finally:
        serving = False
