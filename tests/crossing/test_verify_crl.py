"""The CRL of a held root over several ceremonies, good and forged: `verify` holds each against script, ledger and signature."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.crossing import verify
from ceremony.crossing.artifacts import read_crl_file
from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import certified_in, read_ledger, revocations_in
from ceremony.crossing.private_keys import private_key_in
from ceremony.crossing.roots import last_crl
from ceremony.crossing.verify import Verdict, verify_bundle
from ceremony.errors import CeremonyError
from ceremony.pki.revocation import Revoked
from ceremony.words import sha256_hex
from tests.crossing.chaining import DAY
from tests.crossing.forging import failed, lines_where, put, verdict_on
from tests.crossing.held_ceremony import HeldCeremony, first_session, whole_ceremony
from tests.crossing.held_crl import CRL, REVOKE_ALPHA, ceremony_without_crl, crl_ceremony, entries_of
from tests.crossing.test_verify_forged import second_session_without

_DAY = dt.datetime.fromisoformat(f"{DAY}T00:00:00Z")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def second(first: HeldCeremony, tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return crl_ceremony(tmp_path_factory.mktemp("second"), first, REVOKE_ALPHA)


def ceremonies_of(ceremony: HeldCeremony) -> Any:
    return read_ledger(ceremony.bundle_files()[LEDGER]).ceremonies


def told(verdict: Verdict) -> str:
    return next(check.detail for check in verdict.checks if check.name == "crl")


def test_what_one_ceremony_revokes_every_later_one_holds(first: HeldCeremony, second: HeldCeremony, tmp_path: Path) -> None:
    third = ceremony_without_crl(tmp_path / "third", second, second.artifacts[CRL])
    revoke = '\n[[revoke]]\nname = "beta.1"\nreason = "superseded"\nnote = "New factory."\n'
    fourth = crl_ceremony(tmp_path / "fourth", third, revoke)
    for number, (ceremony, before) in enumerate([(second, first), (third, second), (fourth, third)]):
        verdict = verdict_on(ceremony, tmp_path / str(number), previous=before.write_bundle(tmp_path / f"before-{number}"))
        assert failed(verdict) == set(), [check for check in verdict.checks if not check.passed]
    assert third.artifacts[CRL] == second.artifacts[CRL]
    numbers = [last.number for ceremony in (second, third, fourth) if (last := last_crl(ceremonies_of(ceremony), "example-root-g1"))]
    assert numbers == [1, 1, 2]
    revoked = {entry.name: entry.revoked for entry in certified_in(ceremonies_of(fourth)) if entry.revoked}
    assert revoked == {"alpha.1": f"cACompromise, since {DAY}T00:00:00Z", "beta.1": f"superseded, since {DAY}T00:00:00Z"}
    assert len(read_crl_file(fourth.artifacts[CRL]).revoked) == 2
    # Each ceremony's own part of the ledger holds only what is new.
    assert [len(element.revocations) for element in ceremonies_of(fourth)] == [0, 1, 0, 1]
    assert ceremonies_of(third)[-1].crl is None


def test_a_ledger_from_before_there_were_crls_stays_as_it_was(first: HeldCeremony) -> None:
    assert b'"crl"' not in first.bundle_files()[LEDGER] and b'"revocations"' not in first.bundle_files()[LEDGER]


def test_a_signature_given_up_comes_on_the_next_crl(tmp_path: Path) -> None:
    held = first_session(tmp_path / "held")
    held.cross()
    second_session_without(held, "beta.1")
    good = crl_ceremony(tmp_path / "good", held)
    assert failed(verdict_on(good, tmp_path)) == set()
    assert [entry.reason for entry in entries_of(good)] == ["cessationOfOperation"]
    left_out = crl_ceremony(tmp_path / "left-out", held, entries=())
    verdict = verdict_on(left_out, tmp_path / "bad")
    assert failed(verdict) == {"crl"} and "revoked" in told(verdict)


def test_a_crl_number_whose_signature_was_given_up_counts_as_used(second: HeldCeremony, tmp_path: Path) -> None:
    good = crl_ceremony(tmp_path / "good", second, given_up=True)
    assert failed(verdict_on(good, tmp_path)) == set()
    issued = last_crl(ceremonies_of(good), "example-root-g1")
    assert issued and issued.number == 3
    used_twice = crl_ceremony(tmp_path / "twice", second, given_up=True, number=1)
    assert "cRLNumber is '2'; it should be '3'" in told(verdict_on(used_twice, tmp_path / "bad"))


def changed(**new: Any) -> Callable[[list[Revoked]], list[Revoked]]:
    return lambda entries: [dataclasses.replace(entries[0], **new), *entries[1:]]


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "the number of the last one": ({"number": 1}, "cRLNumber is '1'; it should be '2'"),
    "a number left out": ({"number": 3}, "cRLNumber is '3'; it should be '2'"),
    "an entry lost": ({"entries": lambda entries: []}, "it should be 'cACompromise"),
    "an entry too many": (
        {"entries": lambda entries: sorted([*entries, Revoked(7, _DAY, "superseded")], key=lambda entry: int(entry.serial))},
        "it should be 'none'",
    ),
    "another reason": ({"entries": changed(reason="superseded")}, "is 'superseded"),
    "another day": ({"day": "2026-11-25"}, "this update is '2026-11-25"),
    "another end": ({"next_update": dt.datetime(2030, 1, 1, tzinfo=dt.UTC)}, "next update is '2030-01-01"),
    "another key": ({"signed_by": ec.generate_private_key(ec.SECP384R1())}, "was not signed by the root itself"),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_crl_that_is_not_the_next_one_is_told(second: HeldCeremony, tmp_path: Path, what: str) -> None:
    forged, wanted = FORGED[what]
    if "entries" in forged:
        forged = forged | {"entries": forged["entries"](entries_of(second))}
    verdict = verdict_on(crl_ceremony(tmp_path / "ceremony", second, **forged), tmp_path)
    assert failed(verdict) == {"crl"}
    assert wanted in told(verdict)


def test_a_crl_that_the_script_does_not_speak_of_is_told(second: HeldCeremony, tmp_path: Path) -> None:
    unasked = crl_ceremony(tmp_path / "unasked", second)
    unasked.script = unasked.script.replace(b"[crl]\nnext_update = 2027-12-31T00:00:00Z\n", b"")
    put("opened", {}, script=unasked.lines[0]["data"]["script"] | {"sha256": sha256_hex(unasked.script)})(unasked)
    assert told(verdict_on(unasked, tmp_path)) == f"{CRL}: the script asks for no CRL"


def test_an_order_over_other_bytes_and_a_file_that_was_not_signed_are_told(second: HeldCeremony, tmp_path: Path) -> None:
    good = crl_ceremony(tmp_path / "good", second)
    unordered = good.forged()
    unordered.lines.remove(lines_where(unordered, "ordered", key="crl/1/confirm")[0])
    assert "orders" in failed(verdict_on(unordered, tmp_path / "1"))
    other = crl_ceremony(tmp_path / "other", second, next_update=dt.datetime(2027, 6, 1, tzinfo=dt.UTC))
    swapped = good.forged()
    swapped.artifacts[CRL] = other.artifacts[CRL]
    for line in swapped.lines:
        text = str(line["data"])
        if CRL in text and line["type"] in ("result", "sealed"):
            source = next(each for each in other.lines if each["type"] == line["type"] and CRL in str(each["data"]))
            line["data"] = line["data"] | {key: source["data"][key] for key in ("value", "artifacts") if key in source["data"]}
    assert f"{CRL} is not what line" in told(verdict_on(swapped, tmp_path / "2"))


def test_a_certificate_given_up_can_not_pass_for_a_crl(second: HeldCeremony, tmp_path: Path) -> None:
    """A signature that may exist would else be on no CRL, and in no ledger."""
    held = crl_ceremony(tmp_path / "held", second, given_up=True).forged()
    certificate = lines_where(second, "intent", verb="store")[0]["data"]["args"] | {"hex": b"no CRL".hex(), "sha256": sha256_hex(b"no CRL")}
    for line in held.lines:
        if line["data"].get("key") == "store/1" and line["type"] == "intent":
            line["data"]["args"] = certificate
        elif line["data"].get("key") == "store/1":
            line["data"]["value"]["sha256"] = certificate["sha256"]
        elif line["data"].get("key") == "crl/1/sign/example-root-g1" and line["type"] == "intent":
            line["data"]["args"]["sha256"] = certificate["sha256"]
    with pytest.raises(CeremonyError) as refused:
        held.bundle_files()
    assert refused.value.code == "CRL-BROKEN"


def test_a_crl_that_was_not_carried_over_or_is_an_older_one_is_told(second: HeldCeremony, tmp_path: Path) -> None:
    dropped = ceremony_without_crl(tmp_path / "dropped", second, None)
    assert told(verdict_on(dropped, tmp_path / "1")) == "the last CRL of example-root-g1 in the ledger is not here"
    third = crl_ceremony(tmp_path / "third", second)
    older = ceremony_without_crl(tmp_path / "older", third, second.artifacts[CRL])
    assert told(verdict_on(older, tmp_path / "2")).endswith("it is not the last CRL of the ledger")


def test_revoking_twice_or_what_was_never_issued_is_told(second: HeldCeremony, tmp_path: Path) -> None:
    for name, wanted in (("alpha.1", "is revoked already: cACompromise"), ("omega.1", "no intermediate of the name omega.1")):
        revoke = f'\n[[revoke]]\nname = "{name}"\nreason = "superseded"\n'
        ceremony = crl_ceremony(tmp_path / name, second, revoke, entries=entries_of(second))
        verdict = verdict_on(ceremony, tmp_path / f"verdict-{name}")
        assert failed(verdict) == {"crl"} and wanted in told(verdict)


def test_a_crl_is_no_private_key_and_nothing_stands_beside_it(second: HeldCeremony) -> None:
    octets = second.artifacts[CRL]
    assert private_key_in(octets) is None
    assert private_key_in(read_crl_file(octets).der) is private_key_in(read_crl_file(octets).signed.hex().encode()) is None
    for spoilt in (octets + b"more\n", octets.replace(b"\n", b"\r\n"), octets * 2):
        with pytest.raises(CeremonyError):
            read_crl_file(spoilt)


def test_the_check_is_what_finds_it(second: HeldCeremony, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = crl_ceremony(tmp_path / "ceremony", second, entries=())
    without = tuple(check for check in verify._CHECKS if check[0] != "crl")
    bundle = forged.write_bundle(tmp_path / "bundle")
    assert failed(verify_bundle(bundle)) == {"crl"}
    monkeypatch.setattr(verify, "_CHECKS", without)
    assert failed(verify_bundle(bundle)) == set()
    assert revocations_in(ceremonies_of(forged)) != []
