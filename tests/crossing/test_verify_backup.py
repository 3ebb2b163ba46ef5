"""What `verify` makes of a copy of the root's key: proved by the CRL that it signed, or told what is missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins

from ceremony.crossing.duties import duties_of
from ceremony.crossing.ledger import read_ledger
from ceremony.crossing.tokens import copies_left
from ceremony.crossing.verify import verify_bundle
from ceremony.words import sha256_hex, words_of
from tests.crossing.chaining import DAY
from tests.crossing.forging import drop, failed, lines_where, put
from tests.crossing.held_ceremony import HeldCeremony, going_on, spki, whole_ceremony
from tests.crossing.held_crl import CRL, issue_crl, scripted, write_crl

KINDS = ("roll-call", "check-clock", "check-machine", "use-root", "prove-backup", "close")
CLONE = """[crl]
next_update = 2027-12-31T00:00:00Z

[backup]
kind = "vendor-clone"
tool = "the vendor's tool"
version = "3.14"
domain = "domain of 2026"
holders = ["Nils Berg"]
"""
READ = {"SENSITIVE": {"value": True, "wanted": True, "verdict": "as-wanted"}}
TAKEN = {"verb": "take-token"}
LOOKED = {"verb": "look-at-copy"}


def proved(folder: Path, previous: HeldCeremony, tables: str = CLONE, serial: str = "T2", **read: Any) -> HeldCeremony:
    """A later ceremony that proves a copy, as the step does."""
    ceremony = HeldCeremony(folder, scripted(KINDS, previous, tables), **going_on(previous))
    ceremony.prepare()
    ceremony.use_root()
    ceremony.begin("prove-backup")
    token = {"serial": serial, "initialised": True}
    ceremony.act("over", "take-token", {"name": "backup"}, {"token": token, "from": "T1", "made_up": True})
    ceremony.log_in()
    digest = sha256_hex(spki(ceremony.root_key))
    look = {"public_key_sha256": digest, "attributes": READ, "token": token, **read}
    ceremony.act("look", "look-at-copy", {}, look)
    words = words_of(digest)
    ceremony.answered("copy/officer", " ".join(words[:4]), "officer", digest=digest)
    ceremony.answered("copy/witness-1", " ".join(words[4:8]), "witness-1", digest=digest)
    issue_crl(ceremony, within=True)
    ceremony.act("back", "leave-token", {"serial": "T1"}, {"serial": "T1"})
    ceremony.finish()
    ceremony.seal("close")
    return ceremony


def _not_logged_in(ceremony: HeldCeremony) -> None:
    step = lines_where(ceremony, "result", **TAKEN)[0]["step"]
    ceremony.lines = [line for line in ceremony.lines if line["step"] != step or line["data"].get("verb") != "login"]


def _logged_in_to_the_first_token(ceremony: HeldCeremony) -> None:
    (over,) = [line for line in ceremony.lines if line["type"] == "intent" and line["data"].get("verb") == "take-token"]
    logins = [line for line in ceremony.lines if line["step"] == over["step"] and line["data"].get("verb") == "login"]
    ceremony.lines = [line for line in ceremony.lines if line not in logins]
    place = ceremony.lines.index(over)
    ceremony.lines[place:place] = logins


def _signed_before_the_look(ceremony: HeldCeremony) -> None:
    (look,) = [line for line in ceremony.lines if line["type"] == "result" and line["data"].get("verb") == "look-at-copy"]
    ceremony.lines.remove(look)
    (back,) = [line for line in ceremony.lines if line["type"] == "intent" and line["data"].get("verb") == "leave-token"]
    ceremony.lines.insert(ceremony.lines.index(back), look)


def _back_before_the_signature(ceremony: HeldCeremony) -> None:
    back = [line for line in ceremony.lines if line["data"].get("verb") == "leave-token"]
    ceremony.lines = [line for line in ceremony.lines if line not in back]
    sign = next(line for line in ceremony.lines if line["type"] == "intent" and line["data"].get("verb") == "sign")
    place = ceremony.lines.index(sign)
    ceremony.lines[place:place] = back


FORGED: dict[str, tuple[Callable[[HeldCeremony], None], str, str]] = {
    "no look": (drop("result", **LOOKED), "backup", "without a look at the copy"),
    "not gone over": (drop("result", **TAKEN), "backup", "not about the token that was taken"),
    "the first token": (put("result", TAKEN, value={"token": {"serial": "T2"}, "from": "T2"}), "backup", "the serial of the first"),
    "one confirms": (drop("confirmed", key="copy/witness-1"), "backup", "no two people typed"),
    "signed before": (_signed_before_the_look, "backup", "the copy is not proved"),
    "gone back before": (_back_before_the_signature, "backup", "the copy is not proved"),
    "logged in to the first": (_logged_in_to_the_first_token, "activation", "without a login before"),
    "no login": (_not_logged_in, "activation", "without a login before"),
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def good(before: HeldCeremony, tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return proved(tmp_path_factory.mktemp("proved"), before)


def _told(ceremony: HeldCeremony, folder: Path, name: str = "backup") -> tuple[set[str], str]:
    verdict = verify_bundle(ceremony.write_bundle(folder), fingerprint=ceremony.fingerprint)
    return failed(verdict), next(check.detail for check in verdict.checks if check.name == name)


def test_a_proved_copy_is_good(good: HeldCeremony, tmp_path: Path) -> None:
    assert _told(good, tmp_path / "bundle")[0] == set()


@pytest.mark.parametrize("what", FORGED)
def test_verify_tells_a_proof_that_was_none(good: HeldCeremony, tmp_path: Path, what: str) -> None:
    forge, name, told = FORGED[what]
    forged = good.forged()
    forge(forged)
    found, detail = _told(forged, tmp_path / "bundle", name)
    assert name in found and told in detail


@pytest.mark.parametrize(
    ("read", "tables", "told"),
    [
        ({"public_key_sha256": "0" * 64}, CLONE, "another key than the root's"),
        ({"attributes": {"EXTRACTABLE": {"value": True, "verdict": "differs"}}}, CLONE, "EXTRACTABLE is True"),
        ({}, CLONE.replace('"vendor-clone"', '"none"'), "tells of no copy"),
    ],
)
def test_verify_compares_the_copy_itself(before: HeldCeremony, tmp_path: Path, read: dict[str, Any], tables: str, told: str) -> None:
    found, detail = _told(proved(tmp_path / "held", before, tables, **read), tmp_path / "bundle")
    assert "backup" in found and told in detail


def test_what_the_script_foresees_may_differ(before: HeldCeremony, tmp_path: Path) -> None:
    local = {"LOCAL": {"value": False, "wanted": True, "verdict": "differs"}}
    foreseen = CLONE + 'differs = ["LOCAL"]\n'
    assert "backup" in _told(proved(tmp_path / "1", before, attributes=local), tmp_path / "2")[0]
    assert _told(proved(tmp_path / "3", before, foreseen, attributes=local), tmp_path / "4")[0] == set()


def test_a_copy_that_is_planned_is_a_duty_until_it_is_proved(before: HeldCeremony, good: HeldCeremony, tmp_path: Path) -> None:
    planned = CLONE[CLONE.index("[backup]") :] + "by = 2027-03-01\n"
    ceremony = HeldCeremony(tmp_path / "held", scripted((*KINDS[:4], "close"), before, planned), **going_on(before))
    ceremony.prepare()
    ceremony.use_root()
    ceremony.seal("close")
    (duty,) = [duty for duty in duties_of(ceremony.write_bundle(tmp_path / "1"), None).duties if duty.kind == "backup"]
    assert (duty.date, duty.name) == ("2027-03-01", "example-root-g1") and "on one token" in duty.text
    proving = proved(tmp_path / "proving", ceremony, CLONE + "by = 2027-03-01\n")
    duties = duties_of(proving.write_bundle(tmp_path / "2"), None)
    assert not [duty for duty in duties.duties if duty.kind == "backup"]
    (copy,) = read_ledger((tmp_path / "2" / "record" / "ledger.json").read_bytes()).ceremonies[-1].backups
    assert (copy.token, copy.crl_number, copy.day) == ("T2", 1, DAY)


def test_the_first_line_may_not_tell_of_other_copies_than_the_ledger(good: HeldCeremony, tmp_path: Path) -> None:
    later = HeldCeremony(tmp_path / "held", scripted((*KINDS[:4], "close"), good, CLONE + "by = 2027-03-01\n"), **going_on(good))
    later.prepare()
    later.use_root()
    write_crl(later, good.artifacts[CRL], in_step_before=True)
    later.seal("close")
    found, detail = _told(later, tmp_path / "1")
    assert found == {"backup"} and "other copies than the ledger" in detail
    (opened,) = lines_where(later, "opened")
    opened["data"]["previous"]["backups"] = to_builtins(copies_left(read_ledger(later.previous_ledger or b"").ceremonies))
    assert _told(later, tmp_path / "2")[0] == set()


def test_no_other_step_goes_over_to_another_token(before: HeldCeremony, tmp_path: Path) -> None:
    kinds = ("roll-call", "check-clock", "check-machine", "use-root", "issue-crl", "close")
    ceremony = HeldCeremony(tmp_path / "held", scripted(kinds, before, CLONE), **going_on(before))
    ceremony.prepare()
    ceremony.use_root()
    ceremony.begin("issue-crl")
    ceremony.act("over", "take-token", {"name": "backup"}, {"token": {"serial": "T2"}, "from": "T1"})
    ceremony.log_in()
    issue_crl(ceremony, within=True)
    ceremony.finish()
    ceremony.seal("close")
    found, detail = _told(ceremony, tmp_path / "bundle")
    assert "backup" in found and "belongs to a step of kind prove-backup alone" in detail
