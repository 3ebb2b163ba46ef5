"""A ledger that is lost: made again from the bundles that are left, only where it is, and borne, told and kept for ever after."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ceremony.cli import main
from ceremony.crossing.bundle import LEDGER, REPORTS
from ceremony.crossing.history import history_of
from ceremony.crossing.ledger import certified_in, read_ledger, revocations_in
from ceremony.crossing.rebuilt import ledger_made_again
from ceremony.crossing.roots import last_crl
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError, ExitCode
from ceremony.machine.folder import CeremonyFolder
from ceremony.pki.lost_ledger import LEDGER_LOST, UNKNOWN, LostLedger, PreviousTable, problems_with_previous
from ceremony.pki.revocation import Revoked, start_of
from ceremony.script import read_script
from ceremony.session import _taken_over
from ceremony.shipped import path_of
from tests.crossing.forging import drop, failed, put, verdict_on
from tests.crossing.held_ceremony import HeldCeremony, going_on, later_ceremony, whole_ceremony
from tests.crossing.held_crl import crl_ceremony, issue_crl, scripted
from tests.pki.material import DAY

_KINDS = ("roll-call", "check-clock", "check-machine", "use-root", "issue-crl", "close")
_STRANGE = "5a" * 20
REASON = "The safe burnt."


class Chain(dict[str, HeldCeremony]):
    """Three ceremonies of a root, the last two with a CRL each; `bundles` holds each, and `damaged` the second without its ledger."""

    bundles: Path

    def at(self, *names: str) -> list[Path]:
        return [self.bundles / name for name in names]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("lost")
    held = Chain(first=whole_ceremony(folder / "1", rehearsal=False, software=False))
    held["second"] = crl_ceremony(folder / "2", held["first"])
    held["third"] = crl_ceremony(folder / "3", held["second"])
    held["fork"] = later_ceremony(folder / "4", held["first"])
    held["other"] = whole_ceremony(folder / "5", rehearsal=False, software=False)
    held["rehearsal"] = whole_ceremony(folder / "6")
    held["retold"] = held["first"].forged()
    put("confirmed", {"key": "present/admin"}, text="Another question")(held["retold"])
    held.bundles = folder / "bundles"
    for name, ceremony in held.items():
        ceremony.write_bundle(held.bundles / name)
    for name in ("second", "third"):
        shutil.copytree(held.bundles / name, held.bundles / f"{name}-damaged")
    (held.bundles / "second-damaged" / LEDGER).unlink()
    (held.bundles / "third-damaged" / LEDGER).write_bytes(b"{}\n")
    return held


def lost(chain: Chain, after: str, last: str) -> LostLedger:
    """As a script says it; `last` names a ceremony, too."""
    return LostLedger(chain[after].fingerprint, chain[last].fingerprint if last in chain else last, REASON, 1000)


@pytest.mark.parametrize(
    ("given", "after", "last"),
    [
        (("first", "second-damaged"), "second", "second"),
        (("second-damaged", "third-damaged", "first"), "third", "third"),
        (("first", "second"), "second", "third"),
        (("second",), "second", UNKNOWN),
    ],
)
def test_the_ledger_is_made_again_byte_for_byte(chain: Chain, given: tuple[str, ...], after: str, last: str) -> None:
    path, ledger = ledger_made_again(chain.at(*given), lost(chain, after, last))
    assert path.name.removesuffix("-damaged") == after
    assert ledger == (chain.bundles / after / LEDGER).read_bytes()


@pytest.mark.parametrize(
    ("given", "after", "last", "code"),
    [
        (("first", "second"), "second", "second", "PREVIOUS-NOT-LOST"),
        (("first", "second", "third"), "second", "third", "PREVIOUS-NOT-LOST"),
        (("first", "second-damaged", "third"), "second", UNKNOWN, "PREVIOUS-OLDER"),
        (("second-damaged",), "second", "second", "PREVIOUS-GAP"),
        (("first", "third-damaged"), "third", "third", "PREVIOUS-GAP"),
        (("first", "third-damaged"), "first", UNKNOWN, "PREVIOUS-GAP"),
        (("first", "second", "other"), "second", UNKNOWN, "PREVIOUS-OTHER-ROOT"),
        (("first", "second", "fork"), "second", UNKNOWN, "PREVIOUS-REFUSED"),
        (("first", "second"), "third", UNKNOWN, "PREVIOUS-REFUSED"),
        (("first", "second", "rehearsal"), "second", UNKNOWN, "PREVIOUS-REFUSED"),
        (("first", "retold", "second"), "second", UNKNOWN, "PREVIOUS-REFUSED"),
    ],
)
def test_what_is_not_lost_not_whole_or_not_of_one_chain_is_refused(
    chain: Chain, given: tuple[str, ...], after: str, last: str, code: str
) -> None:
    with pytest.raises(CeremonyError) as refused:
        ledger_made_again(chain.at(*given), lost(chain, after, last))
    assert (refused.value.code, refused.value.state) == (code, "Nothing was begun.")


def taken_over(folder: Path, chain: Chain, given: tuple[str, ...], **previous: Any) -> Any:
    """What a ceremony of a shipped script takes over from these bundles."""
    script = read_script(path_of("issue-crl").read_bytes())
    changed = msgspec.structs.replace(script, previous=PreviousTable(**previous))
    with CeremonyFolder.create(folder) as opened:
        return _taken_over(opened, changed, chain.at(*given), rehearsal=False)


def test_the_damaged_bundle_is_whole_again_in_the_folder_and_verified(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The held bundles hold no real reports.
    monkeypatch.setattr("ceremony.session.reports_of_bundle", lambda bundle: {path: (bundle / path).read_bytes() for path in REPORTS})
    fingerprint = chain["second"].fingerprint
    table = {"fingerprint": fingerprint, "ledger": "lost", "last": fingerprint, "reason": REASON}
    facts = taken_over(tmp_path / "D", chain, ("first", "second-damaged"), **table)
    assert facts["lost"] == {"after": fingerprint, "last": fingerprint, "reason": REASON, "jump": 1000}
    mended = tmp_path / "D" / "work" / "previous"
    assert {path: (mended / path).read_bytes() for path in chain["second"].bundle_files()} == chain["second"].bundle_files()
    with pytest.raises(CeremonyError) as refused:
        taken_over(tmp_path / "E", chain, ("first", "second-damaged"), fingerprint=fingerprint)
    assert refused.value.code == "PREVIOUS-MISSING" and 'ledger = "lost"' in refused.value.do_now
    spoilt = tmp_path / "spoilt"
    shutil.copytree(chain.bundles / "second-damaged", spoilt)
    (spoilt / "root" / "example-root-g1.cert.pem").write_bytes((chain.bundles / "other" / "root" / "example-root-g1.cert.pem").read_bytes())
    with pytest.raises(CeremonyError) as refused:
        taken_over(tmp_path / "F", chain, ("first", str(spoilt)), **table)
    assert refused.value.code == "PREVIOUS-REFUSED"


def going_on_without(folder: Path, chain: Chain, *, number: int = 1002, borne: bool = True) -> HeldCeremony:
    """The ceremony after the second, since the third is lost: a serial of the third's is revoked."""
    tables = f'[crl]\nnext_update = 2027-12-31T00:00:00Z\n[[revoke]]\nserial = "{_STRANGE}"\nreason = "keyCompromise"\n'
    script = scripted(_KINDS, chain["second"], tables).decode()
    said = f'ledger = "lost"\nlast = "{chain["third"].fingerprint}"\nreason = "{REASON}"\n'
    script = script.replace("[previous]\n", f"[previous]\n{said}")
    ceremony = HeldCeremony(folder, script.encode(), **going_on(chain["second"]))
    ceremony.prepare()
    ceremony.use_root()
    if borne:
        end = ceremony.lines.pop()
        ceremony.overridden(f"{LEDGER_LOST}: nothing else is left", "officer", "witness-1")
        ceremony.lines.append(end)
    before = read_ledger(chain["second"].bundle_files()[LEDGER]).ceremonies
    revoked = [*(entry.as_entry() for entry in revocations_in(before)), entry_of(ceremony)]
    issue_crl(ceremony, number=number, entries=revoked)
    ceremony.seal("close")
    return ceremony


def entry_of(ceremony: HeldCeremony) -> Any:
    return Revoked(int(_STRANGE, 16), start_of(DAY), "keyCompromise")


def test_a_ceremony_that_goes_on_is_good_says_so_and_every_later_one_does(chain: Chain, tmp_path: Path, capsys: Any) -> None:
    fourth = going_on_without(tmp_path / "held", chain)
    bundle = fourth.write_bundle(tmp_path / "fourth")
    verdict = verify_bundle(bundle, fingerprint=fourth.fingerprint, previous=chain.bundles / "second")
    assert verdict.word == "GOOD", [check for check in verdict.checks if not check.passed]
    told = f"what was done after {chain['second'].fingerprint}, up to {chain['third'].fingerprint}, is not known: {REASON}"
    hole = next(check.detail for check in verdict.checks if check.name == "lost-ledgers")
    assert told in hole and any(LEDGER_LOST in deviation for deviation in verdict.deviations)
    assert failed(verify_bundle(bundle, no_deviations=True)) == {"no-deviations"}
    fifth = crl_ceremony(tmp_path / "held-5", fourth, number=1003)
    assert failed(verdict_on(fifth, tmp_path, previous=bundle)) == set()
    ceremonies = read_ledger(fifth.bundle_files()[LEDGER]).ceremonies
    newest = last_crl(ceremonies, "example-root-g1")
    assert newest and newest.number == 1003
    assert [entry.serial for entry in revocations_in(ceremonies)] == [_STRANGE]
    assert _STRANGE not in {entry.serial for entry in certified_in(ceremonies)}
    given = [*chain.at("first", "second"), bundle, tmp_path / "forged"]
    history = history_of(given, fifth.fingerprint)
    assert (history.word, [ceremony.lost for ceremony in history.ceremonies]) == ("GOOD", [None, None, told, None])
    assert main(["history", *map(str, given)]) == ExitCode.UNANCHORED
    drawn = capsys.readouterr().out
    assert f"WITHOUT THE LEDGER BEFORE IT: {told}" in " ".join(drawn.replace("\n|  ", "").split())
    # What was lost turns up: it is a fork, and stays one.
    assert {problem.kind for problem in history_of([*given, chain.bundles / "third"]).problems} == {"fork"}


def unborne(ceremony: HeldCeremony) -> None:
    drop("deviation")(ceremony)


def not_said(ceremony: HeldCeremony) -> None:
    previous = {key: value for key, value in ceremony.lines[0]["data"]["previous"].items() if key != "lost"}
    put("opened", {}, previous=previous)(ceremony)


def said_otherwise(ceremony: HeldCeremony) -> None:
    previous = ceremony.lines[0]["data"]["previous"]
    put("opened", {}, previous={**previous, "lost": {**previous["lost"], "last": previous["fingerprint"]}})(ceremony)


def by_one(ceremony: HeldCeremony) -> None:
    put("deviation", {"class": "override"}, **{"class": "note"})(ceremony)


@pytest.mark.parametrize("change", [unborne, not_said, said_otherwise, by_one])
def test_it_is_accepted_only_with_its_deviation_and_as_its_script_says(
    chain: Chain, tmp_path: Path, change: Callable[[HeldCeremony], None]
) -> None:
    forged = going_on_without(tmp_path / "held", chain)
    change(forged)
    assert "lost-ledgers" in failed(verdict_on(forged, tmp_path))


def test_its_crl_leaves_out_a_thousand_numbers(chain: Chain, tmp_path: Path) -> None:
    assert failed(verdict_on(going_on_without(tmp_path / "held", chain, number=2), tmp_path)) == {"crl"}


def test_a_script_says_all_of_it_or_nothing() -> None:
    whole, fingerprint = PreviousTable(fingerprint="a" * 64), "a" * 64
    assert problems_with_previous(None, False) == problems_with_previous(whole, False) == []
    assert [where for where, _ in problems_with_previous(PreviousTable(fingerprint=fingerprint, reason="x", jump=2000), True)] == [
        "previous.reason",
        "previous.jump",
    ]
    missing = problems_with_previous(PreviousTable(fingerprint=fingerprint, ledger="lost"), False)
    assert [where for where, _ in missing] == ["previous.last", "previous.reason", "previous.ledger"]
    said = PreviousTable(fingerprint=fingerprint, ledger="lost", last=UNKNOWN, reason=REASON)
    assert problems_with_previous(said, True) == []
