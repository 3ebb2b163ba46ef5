"""What one token does when it is asked: each row of the table in docs/tokens.md, by trying it. Nothing is taken from a profile's word."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from hsm.client import Module, Token
from hsm.errors import TokenError
from hsm.keys import KINDS
from tests.hsm.given import NEW_PIN, SO_PIN, USER_PIN, WRONG_PIN, initialise
from tests.hsm.stands import STANDS, Stand
from tests.hsm.verifying import scheme, verify

_MOST_TRIES = 12
_OF_A_KEY = ("attributes it cannot say", "label and id unique", "destroyed", "there after a restart")
ROWS = (
    "module", "made ready by us", "made ready again", "SO PIN proved and changed", "user PIN set by the SO", "user PIN changed",
    "wrong user PINs", "random bytes", *KINDS, *_OF_A_KEY,
)  # fmt: skip


def measured(name: str) -> dict[str, str]:
    """Row → what came of it, for the stand of this name."""
    told: dict[str, str] = {}
    with _fresh(name) as (stand, module):
        told["module"] = f"{module.info.description} {module.info.library_version}"
        token = module.token(label=stand.made_ready) if stand.made_ready else module.token(blank=True)
        told["made ready by us"] = _tried(lambda: _made_ours(token))
        told["made ready again"] = _tried(lambda: initialise(token, "again", again=True))
        told["random bytes"] = "yes" if len({token.random(20) for _ in range(5)}) == 5 else "no: repeated"
    with _fresh(name) as (stand, module):
        token = stand.token(module)
        told["SO PIN proved and changed"] = _tried(lambda: _so_pin_changed(token))
    with _fresh(name) as (stand, module):
        token = stand.token(module)
        by_so = (bytearray(SO_PIN), bytearray(NEW_PIN))
        told["user PIN set by the SO"] = _tried(lambda: _then_login(token, lambda: token.reset_user_pin(*by_so)))
    with _fresh(name) as (stand, module):
        token = stand.token(module)
        change = ("user", bytearray(USER_PIN), bytearray(NEW_PIN))
        told["user PIN changed"] = _tried(lambda: _then_login(token, lambda: token.set_pin(*change)))  # type: ignore[arg-type]
    with _fresh(name) as (stand, module):
        told["wrong user PINs"] = _wrong_pins(stand.token(module))
    told |= _keys(name)
    return {row: told[row] for row in ROWS}


@contextmanager
def _fresh(name: str) -> Iterator[tuple[Stand, Module]]:
    with tempfile.TemporaryDirectory() as folder, STANDS[name](Path(folder)) as stand, stand.start() as module:
        yield stand, module


def _tried(act: Callable[[], object]) -> str:
    try:
        act()
    except TokenError as refused:
        return f"no: {refused.what}"
    return "yes"


def _made_ours(token: Token) -> None:
    """One that its vendor's tool made ready has no blank state: it is tried as after an interruption."""
    initialise(token, again=token.info().initialised)
    token.login_so(bytearray(SO_PIN))
    token.login(bytearray(USER_PIN))
    token.logout()


def _so_pin_changed(token: Token) -> None:
    token.login_so(bytearray(SO_PIN))
    token.set_pin("so", bytearray(SO_PIN), bytearray(NEW_PIN))
    token.login_so(bytearray(NEW_PIN))


def _then_login(token: Token, act: Callable[[], object]) -> None:
    act()
    token.login(bytearray(NEW_PIN))


def _wrong_pins(token: Token) -> str:
    """After how many it locks, and whether its flags said so before."""
    flags = []
    for number in range(1, _MOST_TRIES + 1):
        try:
            token.login(bytearray(WRONG_PIN), last_try_too=True)
        except TokenError as refused:
            flags.append(token.info().pin_tries)
            if refused.code == "TOKEN-PIN-LOCKED" or flags[-1] == "locked":
                warned = ", told by its flags before" if set(flags[:-1]) & {"low", "final"} else ", not told by its flags"
                return f"locked by number {number}{warned}"
    return f"not locked by {_MOST_TRIES}; its flags say {flags[-1]!r}"


def _keys(name: str) -> dict[str, str]:
    told = {kind: _key(name, kind) for kind in KINDS}
    made = next((kind for kind in KINDS if told[kind].startswith("yes")), None)
    if made is None:
        return told | dict.fromkeys(_OF_A_KEY, "no key was made")
    with _fresh(name) as (stand, module):
        token = stand.token(module)
        token.login(bytearray(USER_PIN))
        key = token.generate_key(made, "root", b"\1")
        unsaid = [attribute for attribute, reading in key.attributes.items() if reading.verdict == "unknown-by-profile"]
        told["attributes it cannot say"] = ", ".join(unsaid) or "none"
        twice = [_tried(lambda: token.generate_key(made, "root", b"\2")), _tried(lambda: token.generate_key(made, "other", b"\1"))]
        told["label and id unique"] = "yes" if all(answer != "yes" for answer in twice) else "no: made twice"
        info = token.info()
        module.close()
        with stand.start() as again:
            token = again.token(serial=info.serial, label=info.label)
            token.login(bytearray(USER_PIN))
            algorithm = f"{scheme(made)}-sha384"
            verify(key.public_key_der, algorithm, token.sign(b"\1", algorithm, b"x").signature, b"x")
            told["there after a restart"] = "yes, and signs"
            token.destroy(b"\1")
            told["destroyed"] = "yes" if token.inventory() == [] else "no: something is left"
    return told


def _key(name: str, kind: str) -> str:
    """Made, used with three hashes, and each signature verified by another library."""
    with _fresh(name) as (stand, module):
        token = stand.token(module)
        token.login(bytearray(USER_PIN))
        try:
            made = token.generate_key(kind, "root", b"\1")
            mechanisms = set()
            for hash_name in ("sha256", "sha384", "sha512"):
                signed = token.sign(b"\1", f"{scheme(kind)}-{hash_name}", b"to be signed")
                verify(made.public_key_der, f"{scheme(kind)}-{hash_name}", signed.signature, b"to be signed")
                mechanisms.add(signed.mechanism.replace(hash_name.upper(), "SHA*"))
        except (TokenError, InvalidSignature) as failed:
            foretold = "foretold" if token.abilities().keys[kind] else "NOT FORETOLD"
            return f"no ({foretold}): {failed}"
        return f"yes ({', '.join(sorted(mechanisms))})"
