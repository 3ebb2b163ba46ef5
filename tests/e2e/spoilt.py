"""The command with a bug put into it: `python -m tests.e2e.spoilt ARGUMENTS`, and SPOILT says which bug."""

import os
import sys
from collections.abc import Callable
from typing import Any

from ceremony.cli import main
from ceremony.tui.secret_entry import SecretEntry
from hsm.client import Token


def fail_in_the_handler(entry: SecretEntry, typed: bytearray) -> None:
    """While a local variable holds the PIN as text."""
    user_pin = typed.decode()
    raise RuntimeError(f"a bug in the handler, {len(user_pin)} characters")


def fail_in_the_handler_and_say_it(entry: SecretEntry, typed: bytearray) -> None:
    """As `int(text)` would: the message itself quotes what was typed."""
    raise ValueError(f"invalid literal for int() with base 10: {typed.decode()!r}")


def fail_in_the_loop(token: Token, pin: bytearray, **more: Any) -> None:
    """In the loop's thread, while a local variable holds the PIN as text, and in the message, too."""
    user_pin = pin.decode()
    raise RuntimeError(f"a bug in the loop, {user_pin}")


def at_a_pin(bug: Callable[[SecretEntry, bytearray], None]) -> Callable[[SecretEntry, bytearray], None]:
    """The handler with a bug that shows at a PIN; a passphrase before it is taken."""
    taken = SecretEntry.entered

    def entered(entry: SecretEntry, typed: bytearray) -> None:
        is_pin = entry._secret is not None and entry._secret.kind == "pin"
        (bug if is_pin else taken)(entry, typed)

    return entered


if __name__ == "__main__":
    match os.environ.get("SPOILT"):
        case "handler":
            SecretEntry.entered = at_a_pin(fail_in_the_handler)  # type: ignore[assignment,method-assign]  # the bug that is tried
        case "handler-message":
            SecretEntry.entered = at_a_pin(fail_in_the_handler_and_say_it)  # type: ignore[assignment,method-assign]  # the bug that is tried
        case "loop":
            Token.login = fail_in_the_loop  # type: ignore[method-assign,assignment]  # the bug that is tried
    sys.exit(main())
