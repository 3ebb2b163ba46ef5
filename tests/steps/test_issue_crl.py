"""A later ceremony's CRL: what is taken over from the last bundle, what is revoked, and what is refused before anything is signed."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ceremony.crossing.artifacts import read_crl_file
from ceremony.engine.step import Act, Known, Person, Show
from ceremony.errors import CeremonyError
from ceremony.pki.crl import read_to_be_signed_crl
from ceremony.room.read_previous import ReadPrevious
from ceremony.script import read_script
from ceremony.shipped import path_of
from ceremony.steps.issue_crl import IssueCrl
from ceremony.steps.use_root import UseRoot
from tests.crossing.chaining import DAY
from tests.crossing.held_ceremony import HeldCeremony, whole_ceremony
from tests.crossing.held_crl import CRL, REVOKE_ALPHA, crl_ceremony

YEARLY, REVOKES = path_of("issue-crl").read_text(), path_of("revoke-intermediate").read_text()
ALPHA, BETA = 'name = "alpha.1"', 'name = "beta.1"'


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    """The ceremony before: it revoked alpha.1."""
    return crl_ceremony(tmp_path_factory.mktemp("last"), whole_ceremony(tmp_path_factory.mktemp("first")), REVOKE_ALPHA)


def taken_over(last: HeldCeremony, folder: Path, **args: Any) -> dict[str, Any]:
    """What `read-previous` gives of its bundle, as the record holds it."""
    if not (folder / "work" / "previous").exists():
        last.write_bundle(folder / "work" / "previous")
    room = SimpleNamespace(folder=SimpleNamespace(path=folder))
    return ReadPrevious().do(cast(Any, room), {"label": "example-root-g1", **args}, cast(Any, None))


def known(script: str, products: dict[str, Any], *, rehearsal: bool = True) -> Known:
    people = {"officer": Person("Nils Berg", "crypto-officer"), "witness-1": Person("Eva Lund", "witness")}
    opened = {"rehearsal": rehearsal, "ceremony": "0" * 32}
    return Known(script=read_script(script.encode()), products={"ceremony_day": DAY, **products}, opened=opened, step=4, people=people)


def used(script: str, previous: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Runs use-root: the paths that it writes, and its products."""
    run = UseRoot(title="Root", actor="officer", confirm=("witness-1",)).run(known(script, {}))
    written, request = [], next(run)
    try:
        while True:
            value: Any = None
            if isinstance(request, Act):
                token = {"label": "t", "serial": "1", "manufacturer": "m", "model": "m", "firmware_version": "1", "pin_tries": "ok"}
                facts = token | {"so_pin_tries": "ok", "profile": "p", "hardware_version": "1"}
                value = {"read-previous": previous, "find-root": {"key_id": "aa", "label": "r", "token": facts}}.get(request.verb, {})
                written += [request.args["path"]] if request.verb == "write-artifact" else []
            request = run.send(value)
    except StopIteration as end:
        return written, end.value


def drafted(script: str, products: dict[str, Any], *, rehearsal: bool = True) -> Act:
    """The act that stores the CRL's bytes: the first thing the step does."""
    step = IssueCrl(title="CRL", actor="officer", confirm=("witness-1",))
    store = next(step.run(known(script, products, rehearsal=rehearsal)))
    assert isinstance(store, Act) and store.verb == "store"
    return store


def why_not(script: str, products: dict[str, Any], *, rehearsal: bool = False) -> str:
    with pytest.raises(CeremonyError) as refused:
        drafted(script, products, rehearsal=rehearsal)
    return f"{refused.value.code}: {refused.value.what}"


def test_the_last_crl_is_carried_on_unless_the_next_one_is_made(last: HeldCeremony, tmp_path: Path) -> None:
    previous = taken_over(last, tmp_path)
    without = path_of("sign-intermediates").read_text()
    assert used(without, previous)[0] == ["root/example-root-g1.cert.pem", CRL]
    assert used(YEARLY, previous)[0] == ["root/example-root-g1.cert.pem"]


def test_the_next_crl_keeps_every_entry_and_its_number_goes_up(last: HeldCeremony, tmp_path: Path) -> None:
    _, products = used(YEARLY, taken_over(last, tmp_path))
    before = read_crl_file(last.artifacts[CRL])
    yearly = read_to_be_signed_crl(bytes.fromhex(drafted(YEARLY, products).args["hex"]))
    assert (yearly.number, yearly.revoked) == (before.number + 1, before.revoked)
    script = REVOKES.replace(ALPHA, f"{BETA}\ndate = 2026-11-24").replace("cACompromise\"", 'superseded"')
    revoking = read_to_be_signed_crl(bytes.fromhex(drafted(script, products).args["hex"]))
    assert set(revoking.revoked) > set(before.revoked)
    assert sorted(entry.reason for entry in revoking.revoked) == ["cACompromise", "superseded"]
    by_serial = REVOKES.replace(ALPHA, f'serial = "{beta(products)}"')
    store = drafted(by_serial, products, rehearsal=False)
    assert int(beta(products), 16) in read_to_be_signed_crl(bytes.fromhex(store.args["hex"])).by_serial


def beta(products: dict[str, Any]) -> str:
    return next(str(entry["serial"]) for entry in products["certified"] if entry["name"] == "beta.1")


def test_what_is_revoked_already_or_was_never_issued_is_refused_by_name_and_serial(last: HeldCeremony, tmp_path: Path) -> None:
    _, products = used(YEARLY, taken_over(last, tmp_path))
    serials = {entry["name"] or entry["purpose"]: entry["serial"] for entry in products["certified"]}
    assert (told := why_not(REVOKES, products)).startswith("REVOKE-ALREADY") and serials["alpha.1"] in told and "cACompromise" in told
    for name, code in ((f'serial = "{serials["alpha.1"]}"', "REVOKE-ALREADY"), (f'serial = "{"7" * 40}"', "REVOKE-UNKNOWN")):
        told = why_not(REVOKES.replace(ALPHA, name), products)
        assert told.startswith(code) and name[10:-1] in told
    assert "omega.1" in why_not(REVOKES.replace(ALPHA, 'name = "omega.1"'), products)
    assert "the root itself" in why_not(REVOKES.replace(ALPHA, f'serial = "{serials["root"]}"'), products)
    second = next(dict(each, serial="7" * 40) for each in products["certified"] if each["name"] == "beta.1")
    told = why_not(REVOKES.replace(ALPHA, BETA), products | {"certified": [*products["certified"], second]})
    assert serials["beta.1"] in told and "7" * 40 in told


def test_a_rehearsal_revokes_a_stand_in_for_a_serial_of_the_real_root(last: HeldCeremony, tmp_path: Path) -> None:
    _, products = used(YEARLY, taken_over(last, tmp_path))
    script = REVOKES.replace(ALPHA, f'serial = "{"7" * 40}"')
    assert "revoked-1" in why_not(script, products, rehearsal=True)
    stand_in = {"serial": "6" * 40, "purpose": "intermediate", "subject": "CN=x", "name": "revoked-1", "possibly": False, "revoked": None}
    store = drafted(script, products | {"certified": [*products["certified"], stand_in]})
    assert int("6" * 40, 16) in read_to_be_signed_crl(bytes.fromhex(store.args["hex"])).by_serial


def test_a_clock_behind_the_last_crl_is_refused(last: HeldCeremony, tmp_path: Path) -> None:
    _, products = used(YEARLY, taken_over(last, tmp_path))
    # The root is of the same day; only the CRL before is later than today.
    later = crl_ceremony(tmp_path / "later", last, day="2026-11-30")
    assert why_not(YEARLY, products | {"last_crl": read_crl_file(later.artifacts[CRL]).der.hex()}).startswith("CRL-BACKWARDS")


def test_the_order_shows_what_is_revoked_and_why(last: HeldCeremony, tmp_path: Path) -> None:
    _, products = used(YEARLY, taken_over(last, tmp_path))
    run = IssueCrl(title="CRL", actor="officer", confirm=("witness-1",)).run(known(REVOKES.replace("alpha.1", "beta.1"), products))
    request = next(run)
    while not (not isinstance(request, Act | Show) and getattr(request, "order", False)):
        request = run.send({"findings": []} if isinstance(request, Act) else None)
    shown = "\n".join(cast(Any, request).shown)
    assert f"Revoked now: CN=beta.1,O=Example, serial {beta(products)}: cACompromise" in shown
    assert "(The factory of beta.1 reported a break-in.)" in shown
    assert "cRLNumber: 2 (the last one: 1)" in shown and "difference to the profile: none" in shown


def test_a_crl_in_the_last_bundle_that_is_not_the_ledgers_is_refused(last: HeldCeremony, tmp_path: Path) -> None:
    taken_over(last, tmp_path)
    file = tmp_path / "work" / "previous" / CRL
    other = crl_ceremony(tmp_path / "other", last)
    for octets in (other.artifacts[CRL], b"", None):
        file.unlink(missing_ok=True)
        if octets is not None:
            file.write_bytes(octets)
        with pytest.raises(CeremonyError) as refused:
            taken_over(last, tmp_path)
        assert refused.value.code == "CRL-BROKEN"
    shutil.rmtree(tmp_path / "work")
