"""destroy-key: refused while the key is needed; two people, a reason, the token listed before and after; what `verify` makes of it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ceremony.crossing.duties import duties_of
from ceremony.crossing.ledger import read_ledger
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError
from ceremony.pki.destroying import problems_with_inventory, still_needed
from ceremony.pki.revoking import Certified
from ceremony.room.destroy_key import DestroyKey
from ceremony.script import ScriptRefused, read_script
from ceremony.shipped import path_of
from ceremony.steps import destroy_key
from ceremony.words import sha256_hex
from tests.crossing.forging import drop, failed, lines_where, put
from tests.crossing.held_ceremony import HeldCeremony, going_on, spki, whole_ceremony
from tests.crossing.held_crl import scripted
from tests.engine.memory_token import Faults, MemoryToken, Store

SCRIPT = path_of("destroy-key")
DAY = "2027-03-01"
KEY = {"object_class": "PRIVATE_KEY", "label": "example-root-g1", "key_id": "aa", "key_type": "EC"}
LOST = "a ledger of this chain was lost: what else it certified is not known"
ALPHA = Certified("7" * 40, "intermediate", "CN=alpha.1", "alpha.1", False, None, "2031-11-19T00:00:00Z")


@pytest.mark.parametrize(
    ("certified", "revoked_now", "others", "told"),
    [
        ([ALPHA], [], ["new-root"], "1 certificates under it live: CN=alpha.1 (until 2031-11-19T00:00:00Z)"),
        ([dataclasses.replace(ALPHA, possibly=True)], [], ["new-root"], "CN=alpha.1"),
        ([dataclasses.replace(ALPHA, not_after=f"{DAY}T00:00:00Z")], [], ["new-root"], "CN=alpha.1"),
        ([], [], [], "there is no other root"),
        ([dataclasses.replace(ALPHA, revoked="superseded")], [], ["new-root"], ""),
        ([ALPHA], [ALPHA.serial], ["new-root"], ""),
        ([dataclasses.replace(ALPHA, not_after="2027-02-28T00:00:00Z")], [], ["new-root"], ""),
        ([dataclasses.replace(ALPHA, purpose="root")], [], ["new-root"], ""),
        ([], [], ["new-root"], LOST),
    ],
)
def test_what_still_needs_the_key(certified: list[Certified], revoked_now: list[str], others: list[str], told: str) -> None:
    found = "; ".join(still_needed(certified, revoked_now, DAY, others, lost=told == LOST))
    assert told in found and bool(told) == bool(found)


def test_the_token_holds_less_by_this_key_alone() -> None:
    key, other = ({"object_class": "PRIVATE_KEY", "label": id, "key_id": id, "key_type": "EC"} for id in ("aa", "bb"))
    assert list(problems_with_inventory("aa", [key, other], [other])) == []
    assert list(problems_with_inventory("aa", [key, other], [key, other])) == ["the id aa is still on the token"]
    assert list(problems_with_inventory("aa", [key, other], [])) == ["PRIVATE_KEY 'bb' is gone too"]
    assert list(problems_with_inventory("aa", [key], [other])) == ["PRIVATE_KEY 'bb' is new"]


def test_destroying_twice_does_no_harm_and_another_key_of_that_id_is_left_alone() -> None:
    token = MemoryToken(Store(label="root", initialised=True, user_pin=b"1234"), lambda what: None, Faults())
    token.login(bytearray(b"1234"))
    made, kept = (token.generate_key("ec:secp384r1", label, label.encode()) for label in ("a", "b"))
    room, args = cast(Any, SimpleNamespace(token=token, token_info=token.info)), {"public_key": made.public_key_der.hex(), "key_id": "61"}
    with pytest.raises(CeremonyError) as refused:
        DestroyKey().do(room, {**args, "key_id": kept.key_id.hex()}, cast(Any, None))
    assert refused.value.code == "ROOT-NOT-ON-TOKEN" and len(token.store.pairs) == 2
    assert [DestroyKey().do(room, args, cast(Any, None))["was_there"] for _ in range(2)] == [True, False]
    assert list(token.store.pairs) == ["62"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('kind = "use-root"', 'kind = "lock"', "use-root must come before"),
        ('kind = "issue-crl"', 'kind = "lock"', "the CRL is not issued yet, and after this nobody can"),
        ('kind = "destroy-key"', 'kind = "issue-crl"', "end_of_life"),
        ("end_of_life = true", "end_of_life = 1", "end_of_life"),
    ],
)
def test_a_script_that_cannot_hold_is_told(before: str, after: str, told: str) -> None:
    with pytest.raises(ScriptRefused) as refused:
        read_script(SCRIPT.read_text().replace(before, after, 1).encode())
    assert told in refused.value.what


def test_nothing_is_signed_after_it() -> None:
    text = SCRIPT.read_text()
    unlock = '[[steps]]\nkind = "unlock"\ntitle = "Unlock '
    start, end = text.index(f"{unlock}for the last"), text.index(f"{unlock}to destroy")
    place = text.index("[[steps]]", text.index('kind = "destroy-key"'))
    with pytest.raises(ScriptRefused) as refused:
        read_script((text[:start] + text[end:place] + text[start:end] + text[place:]).encode())
    assert "the root's key is destroyed" in refused.value.what


def destroyed(folder: Path, previous: HeldCeremony, *, end_of_life: bool = True) -> HeldCeremony:
    """A later ceremony that destroys the root's key as the step does, whatever lives."""
    kinds = ("roll-call", "check-clock", "check-machine", "use-root", "destroy-key", "close")
    text = scripted(kinds, previous, "").decode()
    title = 'title = "Now destroy-key"\n'
    assert title in text
    text = text.replace(title, f"{title}end_of_life = true\n") if end_of_life else text
    ceremony = HeldCeremony(folder, text.encode(), **going_on(previous))
    ceremony.prepare()
    ceremony.use_root()
    ceremony.begin("destroy-key")
    ceremony.log_in()
    ceremony.check_machine("machine")
    public_key = spki(ceremony.root_key)
    digest = sha256_hex(public_key)
    ceremony.act("look", "look-at-key", {}, {"public_key_sha256": digest, "attributes": {}, "objects": [KEY]})
    ceremony.answered("reason", "it is no longer needed", "officer")
    ceremony.ordered("destroy", digest)
    args = {"public_key": public_key.hex(), "key_id": "aa", "label": "example-root-g1", "reason": "it is no longer needed"}
    ceremony.act("destroy", "destroy-key", args, {"was_there": True, "serial": "T1"})
    ceremony.act("left", "list-objects", {}, {"objects": [], "serial": "T1"})
    ceremony.finish()
    ceremony.seal("close")
    return ceremony


def _problems(ceremony: HeldCeremony, folder: Path) -> tuple[set[str], str]:
    verdict = verify_bundle(ceremony.write_bundle(folder), fingerprint=ceremony.fingerprint)
    return failed(verdict), next(check.detail for check in verdict.checks if check.name == "keys")


def no_machine_check(ceremony: HeldCeremony) -> None:
    step = lines_where(ceremony, "result", verb="destroy-key")[0]["step"]
    ceremony.lines = [line for line in ceremony.lines if line["step"] != step or line["data"].get("verb") != "check-machine"]


FORGED: dict[str, tuple[Callable[[HeldCeremony], None], str]] = {
    "no order": (drop("ordered", key="destroy/order"), "not ordered by two people"),
    "no reason": (drop("confirmed", key="reason"), "nobody typed the reason"),
    "no machine check": (no_machine_check, "the machine was not checked before"),
    "not listed": (drop("result", verb="list-objects"), "not listed before and after"),
    "still there": (
        put("result", {"verb": "list-objects"}, value={"objects": [KEY], "serial": "T1"}),
        "the id aa is still on the token",
    ),
    "no result": (drop("result", verb="destroy-key"), "ended without a destroy-key"),
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("first"))


@pytest.mark.parametrize("what", FORGED)
def test_verify_tells_a_destruction_that_was_not_as_it_must_be(before: HeldCeremony, tmp_path: Path, what: str) -> None:
    forge, told = FORGED[what]
    forged = destroyed(tmp_path / "held", before).forged()
    forge(forged)
    found, detail = _problems(forged, tmp_path / "bundle")
    assert "keys" in found and told in detail


def test_verify_knows_what_was_needed_and_the_ledger_what_is_gone(before: HeldCeremony, tmp_path: Path) -> None:
    good = destroyed(tmp_path / "good", before)
    assert _problems(good, tmp_path / "1") == (set(), _problems(good, tmp_path / "2")[1])
    [key] = read_ledger(good.bundle_files()["record/ledger.json"]).ceremonies[-1].destroyed
    assert (key.label, key.token, key.reason) == ("example-root-g1", "T1", "it is no longer needed")
    assert "ceremony" in {duty.kind for duty in duties_of(before.write_bundle(tmp_path / "3"), None).duties}
    assert "ceremony" not in {duty.kind for duty in duties_of(tmp_path / "1", None).duties}
    found, detail = _problems(destroyed(tmp_path / "needed", before, end_of_life=False), tmp_path / "4")
    assert found == {"keys"} and "certificates under it live" in detail and "there is no other root" in detail
    assert lines_where(good, "ordered", key="destroy/confirm")


def test_it_is_refused_in_the_room_while_the_key_is_needed() -> None:
    products = {"root_key_label": "r", "ceremony_day": DAY, "certified": [], "of_other_roots": [], "other_roots": []}
    script = read_script(SCRIPT.read_bytes())
    step = destroy_key.DestroyKey(title="End", actor="officer", confirm=("witness-1",))
    with pytest.raises(CeremonyError) as refused:
        next(step.run(cast(Any, SimpleNamespace(script=script, products=products, rehearsal=True))))
    assert refused.value.code == "KEY-STILL-NEEDED" and "no other root" in refused.value.what

