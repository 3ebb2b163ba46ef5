"""The factory's token: the module started, the token found, somebody logged in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ceremony.factory.failures import telling
from ceremony.factory.secret import secret_from, wipe
from ceremony.machine.site import MODULE_VARIABLES
from hsm.client import Module, Token
from hsm.errors import TokenError
from hsm.facts import TRIES_IN_WORDS


@contextmanager
def opened_token(module: str, named: str, *, state: str) -> Iterator[Token]:
    """The one initialised token with this serial or label behind the module at this path.

    Raises CeremonyError MODULE-…, TOKEN-…; `state` is told.

    The module is told by the environment where its configuration lies (MODULE_VARIABLES), and nothing else. The end of the block
    logs out and ends the module's process.
    """
    environment = {name: os.environ[name] for name in MODULE_VARIABLES if name in os.environ}
    with telling(state):
        started = Module.start(Path(module), environment)
    with started:
        with telling(state):
            found = [info for info in started.tokens() if info.initialised and named in (info.serial, info.label)]
            if len(found) != 1:
                code = "TOKEN-AMBIGUOUS" if found else "TOKEN-NOT-FOUND"
                raise TokenError(code, f"{len(found)} tokens behind {module} have the serial or label {named!r}.")
            token = started.token(serial=found[0].serial, label=found[0].label)
        yield token


def pin_for(token: Token, passphrase_file: Path | None, *, state: str) -> bytearray:
    """The token's user PIN, after what is known of the tries left; empty for a token with a pad of its own.

    Raises CeremonyError as `secret_from` does, and TOKEN-PIN-LAST-TRY and TOKEN-PIN-LOCKED before a PIN is asked for.
    """
    with telling(state):
        info = token.info()
        if info.pin_tries in ("final", "locked"):
            code = "TOKEN-PIN-LOCKED" if info.pin_tries == "locked" else "TOKEN-PIN-LAST-TRY"
            raise TokenError(code, f"The user PIN of the token {info.serial} has no try to spare.", state="No try was used.")
    if info.protected_path:
        return bytearray()
    return secret_from(passphrase_file, f"User PIN of the token {info.label}, serial {info.serial} ({TRIES_IN_WORDS[info.pin_tries]}): ")


def login(token: Token, pin: bytearray, *, state: str) -> None:
    """Logs in with the user PIN, which is wiped; on a token with a pad of its own the PIN is typed there.

    Raises CeremonyError TOKEN-PIN-WRONG and the like; the last try of a PIN is never used.
    """
    try:
        with telling(state):
            token.login(None if token.info().protected_path and not pin else pin)
    finally:
        wipe(pin)
