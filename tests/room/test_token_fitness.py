"""What a token cannot do is told before the day, and not passed over: by `doctor`, with the script and without."""

from collections.abc import Callable

import msgspec
import pytest

from ceremony.machine.checks import Finding
from ceremony.room.token_fitness import token_findings
from ceremony.script import Script, read_script
from hsm.facts import TokenAbilities, TokenInfo
from hsm.keys import KINDS
from tests.engine.memory_room import FIRST_CEREMONY

FIRST = read_script(FIRST_CEREMONY.read_bytes())
QUORUM = read_script(FIRST_CEREMONY.with_name("quorum-ceremony.toml").read_bytes())
LATER = read_script(FIRST_CEREMONY.with_name("reshare.toml").read_bytes())
ADOPTED = read_script(
    FIRST_CEREMONY.read_bytes().replace(b'kind = "initialise-token"', b'kind = "adopt-token"').replace(b'label = "example-root"\n', b"")
)
BLANK = TokenInfo(
    label="", serial="7", manufacturer="A maker", model="A token", hardware_version="1.0", firmware_version="1.0", flags=("RNG",),
    initialised=False, user_pin_set=False, pin_tries="ok", so_pin_tries="ok", shortest_pin=4, longest_pin=16, pin_alphabet="alphanumeric",
    locks_after=None, protected_path=False, software=False, profile="strict",
)  # fmt: skip
READY = msgspec.structs.replace(BLANK, initialised=True, user_pin_set=True)
ALL = TokenAbilities(
    keys=dict.fromkeys(KINDS, ""), initialisation="", second_initialisation="", so_pin="", pin_change="", random="", profile="strict"
)


def lacking(**what: object) -> TokenAbilities:
    return msgspec.structs.replace(ALL, **what)


def found(script: Script | None, info: TokenInfo, abilities: TokenAbilities) -> Finding:
    [finding] = token_findings([(info, abilities)], script)
    return finding


@pytest.mark.parametrize(
    ("script", "info"), [(FIRST, BLANK), (QUORUM, BLANK), (ADOPTED, READY), (LATER, READY), (None, BLANK), (None, READY)]
)
def test_a_token_that_can_do_all_is_fit(script: Script | None, info: TokenInfo) -> None:
    finding = found(script, info, ALL)
    assert finding.verdict == "ok"
    assert "ec:secp384r1" in finding.detail


NO_P384 = lacking(keys={**ALL.keys, "ec:secp384r1": "no such curve"})


@pytest.mark.parametrize(
    ("script", "info", "abilities", "word"),
    [
        (FIRST, BLANK, NO_P384, "[root] key ec:secp384r1: no such curve"),
        (LATER, READY, NO_P384, "no such curve"),
        (FIRST, BLANK, lacking(initialisation="by its maker's tool"), "initialise-token: by its maker's tool"),
        (FIRST, BLANK, lacking(random="no generator"), "no generator"),
        (QUORUM, BLANK, lacking(so_pin="no officer"), "needs a security officer: no officer"),
        (LATER, READY, lacking(pin_change="not here"), "change-activation: not here"),
        (None, READY, lacking(keys=dict.fromkeys(KINDS, "decrypts too")), "decrypts too"),
    ],
)
def test_what_the_script_asks_and_the_token_cannot_do_is_told(
    script: Script | None, info: TokenInfo, abilities: TokenAbilities, word: str
) -> None:
    finding = found(script, info, abilities)
    assert (finding.verdict, bool(finding.do_now)) == ("found", True)
    assert word in finding.detail


@pytest.mark.parametrize(
    "spoil",
    [lambda info: msgspec.structs.replace(info, pin_tries="final"), lambda info: msgspec.structs.replace(info, so_pin_tries="locked")],
)
def test_a_pin_without_a_try_to_spare_is_told(spoil: Callable[[TokenInfo], TokenInfo]) -> None:
    assert found(LATER, spoil(READY), ALL).verdict == "found"
    assert found(None, spoil(READY), ALL).verdict == "found"


def test_what_the_script_does_not_ask_stands_in_nobodys_way() -> None:
    abilities = lacking(initialisation="by its maker's tool", so_pin="no officer", pin_change="not here")
    assert found(ADOPTED, READY, abilities).verdict == "ok"
    assert "by its maker's tool" in found(None, READY, abilities).detail


def test_only_tokens_in_the_state_that_the_script_begins_with_are_looked_at() -> None:
    assert [finding.check for finding in token_findings([(READY, NO_P384), (BLANK, ALL)], FIRST)] == ["token 7 (blank)"]
    [finding] = token_findings([(READY, ALL)], FIRST)
    assert (finding.verdict, "blank" in finding.detail) == ("found", True)
    [finding] = token_findings([(BLANK, ALL)], LATER)
    assert (finding.verdict, "initialised" in finding.detail) == ("found", True)


def test_only_tokens_that_the_site_file_names_are_looked_at() -> None:
    other = msgspec.structs.replace(READY, serial="8")
    assert [finding.check for finding in token_findings([(READY, ALL), (other, NO_P384)], None, {"primary": "8"})] == ["token 8"]
