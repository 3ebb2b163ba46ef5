"""check-token: what a look at the root key tells, and what ends it; on the product's room around a token in memory."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ceremony.crossing.verify import verify_bundle
from ceremony.engine.step import Act, Ask, Known, Person
from ceremony.errors import CeremonyError
from ceremony.room.look_at_key import LookAtKey
from ceremony.script import read_script
from ceremony.shipped import path_of
from ceremony.steps.check_token import CheckToken
from ceremony.words import sha256_hex
from hsm.errors import TokenError
from tests.crossing.forging import failed, put
from tests.crossing.held_ceremony import HeldCeremony, going_on, spki, whole_ceremony
from tests.crossing.held_crl import scripted
from tests.engine.memory_token import Faults, MemoryToken, Store

ATTRIBUTES = {"SENSITIVE": {"value": True, "wanted": True, "verdict": "as-wanted"}}


@pytest.fixture
def token() -> MemoryToken:
    token = MemoryToken(Store(label="root", initialised=True, user_pin=b"1234"), lambda what: None, Faults())
    token.login(bytearray(b"1234"))
    token.generate_key("ec:secp384r1", "example-root-g1", b"\xaa")
    token.generate_key("ec:secp384r1", "another", b"\xab")
    return token


def run(token: MemoryToken, recorded: dict[str, Any]) -> list[Ask]:
    """The step to its end, and what it asked; its look is the room's own."""
    room = SimpleNamespace(token=token, token_info=token.info)
    products = {"root_public_key": token.store.pairs["aa"].public_der.hex(), "root_attributes": recorded}
    people = {"officer": Person("Nils Berg", "crypto-officer"), "witness-1": Person("Eva Lund", "witness")}
    script = read_script(path_of("check-token").read_bytes())
    known = Known(script=script, products=products, opened={"rehearsal": True}, step=8, people=people)
    step, asked = CheckToken(title="Look", actor="officer", confirm=("witness-1",)).run(known), []
    request = next(step)
    try:
        while True:
            if isinstance(request, Act):
                request = step.send(LookAtKey().do(cast(Any, room), request.args, cast(Any, None)))
            elif isinstance(request, Ask):
                asked.append(request)
                request = step.send(request.accept)
    except StopIteration:
        return asked


def test_two_people_see_tries_objects_and_attributes_and_what_is_not_proved(token: MemoryToken) -> None:
    asked = run(token, {"SENSITIVE": True})
    assert [ask.by for ask in asked] == ["officer", "witness-1"]
    shown = "\n".join(asked[1].shown)
    assert "PIN tries:    user ok" in shown and "Objects on the token: 2" in shown and "all 1 attributes are as they were first" in shown
    assert "private half still signs is not proved" in shown
    assert "no attributes of this key" in "\n".join(run(token, {})[0].shown)
    assert token.store.signed == []


@pytest.mark.parametrize("recorded", [{"SENSITIVE": True}, {}, {"SENSITIVE": False, "LOCAL": True}])
def test_a_key_that_is_not_what_was_made_ends_the_step(token: MemoryToken, recorded: dict[str, Any]) -> None:
    token.store.pairs["aa"].sensitive = False
    with pytest.raises(CeremonyError) as refused:
        run(token, recorded)
    assert refused.value.code == "KEY-CHANGED"


def test_another_tokens_key_and_a_closed_token_are_told(token: MemoryToken) -> None:
    pair = token.store.pairs.pop("aa")
    room = cast(Any, SimpleNamespace(token=token, token_info=token.info))
    with pytest.raises(CeremonyError) as refused:
        LookAtKey().do(room, {"public_key": pair.public_der.hex()}, cast(Any, None))
    assert refused.value.code == "ROOT-NOT-ON-TOKEN"
    token.logout()
    with pytest.raises(TokenError):
        LookAtKey().do(room, {"public_key": pair.public_der.hex()}, cast(Any, None))


def checked(folder: Path, previous: HeldCeremony, attributes: dict[str, Any], look: bool = True) -> HeldCeremony:
    """A later ceremony that looks at the key and finds these attributes."""
    kinds = ("roll-call", "check-clock", "check-machine", "use-root", "check-token", "close")
    ceremony = HeldCeremony(folder, scripted(kinds, previous, ""), **going_on(previous))
    ceremony.prepare()
    ceremony.use_root()
    ceremony.begin("check-token")
    ceremony.log_in()
    value = {"public_key_sha256": sha256_hex(spki(ceremony.root_key)), "attributes": attributes}
    if look:
        ceremony.act("look", "look-at-key", {}, value)
    ceremony.finish()
    ceremony.seal("close")
    return ceremony


def test_verify_holds_a_look_against_the_first_one_recorded(tmp_path: Path) -> None:
    first = whole_ceremony(tmp_path / "0")
    second = checked(tmp_path / "1", first, ATTRIBUTES)
    changed = {"SENSITIVE": {"value": False, "wanted": True, "verdict": "differs"}}

    def problems(number: str, ceremony: HeldCeremony) -> set[str]:
        bundle = ceremony.write_bundle(tmp_path / f"bundle-{number}")
        return failed(verify_bundle(bundle, fingerprint=ceremony.fingerprint))

    assert problems("2", second) == set()
    assert problems("3", checked(tmp_path / "3", second, ATTRIBUTES)) == set()
    assert problems("4", checked(tmp_path / "4", second, changed)) == {"keys"}
    assert problems("5", checked(tmp_path / "5", first, changed)) == {"keys"}, "nothing was recorded: it is no root's attribute"
    assert problems("6", checked(tmp_path / "6", second, ATTRIBUTES, look=False)) == {"keys"}
    other = second.forged()
    put("result", {"verb": "look-at-key"}, value={"public_key_sha256": "0" * 64, "attributes": ATTRIBUTES})(other)
    assert "keys" in problems("7", other)
