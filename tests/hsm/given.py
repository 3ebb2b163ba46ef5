"""What the tests of this folder start from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hsm.client import Module, Token
from hsm.errors import TokenError

SO_PIN, USER_PIN, WRONG_PIN, NEW_PIN = b"so-pin-1", b"userpin1", b"wrongpin", b"newpin-2"
"""Of eight characters: no token takes fewer than that as its longest PIN, or more as its shortest."""


def initialise(token: Token, label: str = "test", *, again: bool = False) -> None:
    token.initialise(label, bytearray(SO_PIN), bytearray(USER_PIN), again=again)


def token_logged_in_to(module: Module) -> Token:
    """An empty token."""
    token = module.token(blank=True)
    initialise(token)
    token.login(bytearray(USER_PIN))
    return token


def refusal(call: Callable[..., Any], *args: Any, **kwargs: Any) -> TokenError:
    """The error that the call must end with."""
    with pytest.raises(TokenError) as caught:
        call(*args, **kwargs)
    return caught.value


def is_running(process_id: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process_id}/status").read_text()
    # The second comes where it ends between the opening and the reading.
    except (FileNotFoundError, ProcessLookupError):
        return False
