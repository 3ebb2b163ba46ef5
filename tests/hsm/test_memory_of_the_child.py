"""No PIN is left in the memory of the process that holds the module: after a failed login, a change, a reset (test_child.py: a login)."""

import secrets

import pytest

from hsm.client import Module
from tests.hsm.given import refusal
from tests.memory import found_in_memory


def test_no_pin_stays_in_the_childs_memory(module: Module) -> None:
    label, *pins = (f"{what}-{secrets.token_hex(6)}".encode() for what in ("label", "so", "user", "new", "wrong"))
    so, user, new, wrong = pins
    token = module.token(blank=True)
    token.initialise(label.decode(), bytearray(so), bytearray(user))
    # Masked, as the helper wants it: this process is not searched, but its copies would be found by one that is.
    masked = [bytes(octet ^ 0x55 for octet in pin) for pin in pins]
    try:
        assert found_in_memory(module.process_id, bytes(octet ^ 0x55 for octet in label)), "the search finds what is there"
    except PermissionError:
        pytest.skip("this user may not read the memory of the child, as PR_SET_DUMPABLE wants it")

    def stays() -> list[int]:
        return [found_in_memory(module.process_id, pin) for pin in masked]

    assert refusal(token.login, bytearray(wrong)).code == "TOKEN-PIN-WRONG"
    assert stays() == [0, 0, 0, 0]
    token.set_pin("user", bytearray(user), bytearray(new))
    token.login(bytearray(new))
    token.reset_user_pin(bytearray(so), bytearray(user))
    assert stays() == [0, 0, 0, 0]
