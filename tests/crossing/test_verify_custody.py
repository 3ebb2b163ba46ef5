"""Custody and inventory of a held ceremony: `verify` reads both from the answers, and holds them against the ledger before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ceremony.crossing.ledger import custody_in
from tests.crossing.forging import drop, failed, insert_after, lines_where, put, verdict_on
from tests.crossing.held_ceremony import HeldCeremony, new_csr
from tests.crossing.script_text import script_of

_STEPS = {
    "out": 'kind = "record"\ncustody = "taken-out"\nfacts = [{ name = "token-bag", what = "bag" }]\n',
    "away": 'kind = "record"\ncustody = "put-away"\nfacts = [{ name = "token-bag", what = "bag" }]\n',
    "count-in": 'kind = "inventory"\ncount = "in"\nitems = [{ name = "bags" }]\n',
    "count-out": 'kind = "inventory"\ncount = "out"\nitems = [{ name = "bags", change = -1 }]\n',
}
_START = ("roll-call", "check-clock", "check-machine", "out", "count-in")
_END = ("away", "count-out", "close")


def scripted(kinds: tuple[str, ...], names: tuple[str, ...], previous: str | None = None) -> bytes:
    text = script_of(kinds, names, proof=False, previous=previous).decode()
    for kind, tables in _STEPS.items():
        text = text.replace(f'kind = "{kind}"\n', tables)
    return text.encode()


def typed(ceremony: HeldCeremony, name: str, value: str) -> None:
    for key, by in (("first", "admin"), ("second", "witness-1")):
        ceremony.answered(f"{name}/1/{key}", value, by)


def began(ceremony: HeldCeremony, kind: str) -> None:
    ceremony.begin(kind)
    ceremony.lines[-1]["data"]["title"] = ceremony.tables.steps[ceremony.step - 1].title


def bag(ceremony: HeldCeremony, number: str, custody: str) -> None:
    began(ceremony, "record")
    typed(ceremony, "token-bag", number)
    fact = {"name": "token-bag", "what": "bag", "text": "?", "value": number, "custody": custody}
    products: dict[str, Any] = {"physical": [*ceremony.products.get("physical", []), fact]}
    if custody == "put-away":
        products["custody"] = {"token-bag": {"what": "bag", "value": number}}
    ceremony.finish(**products)


def counted(ceremony: HeldCeremony, number: str) -> None:
    began(ceremony, "inventory")
    typed(ceremony, "bags", number)
    ceremony.finish()


def first(folder: Path) -> HeldCeremony:
    ceremony = HeldCeremony(folder, scripted((*_START, "generate-root", "certify-root", *_END), ()))
    ceremony.prepare()
    bag(ceremony, "A-1", "taken-out")
    counted(ceremony, "4")
    ceremony.make_root()
    bag(ceremony, "A-2", "put-away")
    counted(ceremony, "3")
    ceremony.seal("close")
    return ceremony


def later(folder: Path, previous: HeldCeremony, found: str) -> HeldCeremony:
    kinds = (*_START[:4], "use-root", "import-request", "sign-intermediates", "away", "close")
    ceremony = HeldCeremony(folder, scripted(kinds, ("gamma.1",), previous.fingerprint), previous=previous)
    ceremony.prepare()
    bag(ceremony, found, "taken-out")
    ceremony.use_root()
    ceremony.import_request({"gamma.1": new_csr("CN=gamma.1,O=Example")}, proof=False)
    ceremony.sign_intermediates()
    bag(ceremony, "A-3", "put-away")
    ceremony.seal("close")
    return ceremony


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> HeldCeremony:
    return first(tmp_path_factory.mktemp("held"))


def test_what_was_put_away_last_stands_in_the_ledger_and_holds_for_the_next_ceremony(held: HeldCeremony, tmp_path: Path) -> None:
    assert failed(verdict_on(held, tmp_path)) == set()
    assert [(thing.name, thing.value) for thing in custody_in(held.bundle_files()["record/ledger.json"])] == [("token-bag", "A-2")]
    good = later(tmp_path / "good", held, "a-2")
    assert failed(verdict_on(good, tmp_path / "good")) == set()
    assert [thing.value for thing in custody_in(good.bundle_files()["record/ledger.json"])] == ["A-3"]
    exchanged = later(tmp_path / "exchanged", held, "A-9")
    assert failed(verdict_on(exchanged, tmp_path / "exchanged")) == {"custody"}
    step = lines_where(exchanged, "confirmed", key="token-bag/1/second")[0]
    insert_after(exchanged, step, lambda held: held.overridden("it tore", "admin", "witness-1"))
    assert failed(verdict_on(exchanged, tmp_path / "borne")) == set()
    told = {"custody": {"token-bag": {"what": "bag", "value": "A-9"}}}
    for type, data in (("intent", {"args": {}}), ("result", {"value": told})):
        line = {"type": type, "step": 4, "actor": None, "data": {"key": "last-custody", "verb": "read-custody", **data}}
        good.lines.insert(good.lines.index(lines_where(good, "confirmed", key="token-bag/1/first")[0]), line)
    assert "custody" in failed(verdict_on(good, tmp_path / "told"))


def both(key: str, value: str) -> Callable[[HeldCeremony], None]:
    """Both people are made to have typed another value at the last of such questions."""

    def change(ceremony: HeldCeremony) -> None:
        for which in ("first", "second"):
            lines_where(ceremony, "confirmed", key=f"{key}/1/{which}")[-1]["data"]["value"] = value

    return change


def products(changed: dict[str, Any]) -> Callable[[HeldCeremony], None]:
    def change(ceremony: HeldCeremony) -> None:
        last = [line for line in lines_where(ceremony, "step-finished") if "custody" in line["data"]["products"]][-1]
        last["data"]["products"] |= changed

    return change


@pytest.mark.parametrize(
    "forge",
    [
        drop("confirmed", key="token-bag/1/second"),
        put("confirmed", {"key": "token-bag/1/second"}, value="A-8"),
        put("confirmed", {"key": "bags/1/second"}, by="admin"),
        put("confirmed", {"key": "bags/1/first"}, value="no bags"),
        both("token-bag", "no number"),
        both("token-bag", "A-7"),
        both("bags", "4"),
        products({"custody": {"token-bag": {"what": "bag", "value": "A-9"}}}),
        products({"physical": []}),
    ],
)
def test_a_forged_custody_fails_by_name(held: HeldCeremony, tmp_path: Path, forge: Callable[[HeldCeremony], None]) -> None:
    forged = held.forged()
    forge(forged)
    assert "custody" in failed(verdict_on(forged, tmp_path))


@pytest.mark.parametrize(("kept", "problem"), [(("count-out",), "not put away"), (("away",), "not out again")])
def test_what_is_still_out_at_the_seal_fails(tmp_path: Path, kept: tuple[str, ...], problem: str) -> None:
    """A script that `check` refuses, held all the same."""
    ceremony = HeldCeremony(tmp_path / "held", scripted((*_START, "generate-root", "certify-root", *kept, "close"), ()))
    ceremony.prepare()
    bag(ceremony, "A-1", "taken-out")
    counted(ceremony, "4")
    ceremony.make_root()
    if "away" in kept:
        bag(ceremony, "A-2", "put-away")
    else:
        counted(ceremony, "3")
    ceremony.seal("close")
    (check,) = [check for check in verdict_on(ceremony, tmp_path).checks if check.name == "custody"]
    assert not check.passed and problem in check.detail
