"""The chain of ceremonies: drawn and whole when it is, and each way in which it can be broken is told by its kind."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from ceremony.canonical import parse_json
from ceremony.cli import main
from ceremony.commands.history import drawn
from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.history import history_of
from ceremony.crossing.previous import bundle_to_go_on_from
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError, ExitCode
from ceremony.machine.folder import CeremonyFolder
from ceremony.script import read_script
from ceremony.session import _taken_over
from ceremony.shipped import path_of
from ceremony.words import sha256_hex
from tests.crossing.forging import put
from tests.crossing.held_ceremony import HeldCeremony, first_session, later_ceremony, second_session, whole_ceremony
from tests.crossing.held_crl import crl_ceremony

PRODUCTION = {"rehearsal": False, "software": False}


@dataclass(frozen=True)
class Chain:
    """Three ceremonies of one root, the first with two bundles; what else could have gone on from them; and another root's first."""

    held: dict[str, HeldCeremony]
    folder: Path

    def __getattr__(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> Chain:
    folder = tmp_path_factory.mktemp("chain")
    held = {"crossed": first_session(folder / "1", **PRODUCTION)}
    held["first"] = held["crossed"].forged()
    held["first"].cross()
    second_session(held["first"])
    for name, previous in {"second": "first", "fork": "first", "after_crossing": "crossed"}.items():
        held[name] = later_ceremony(folder / f"held-{name}", held[previous])
    held["third"] = crl_ceremony(folder / "held-third", held["second"])
    held["other"] = whole_ceremony(folder / "2", **PRODUCTION)
    retold = held["first"].forged()
    put("confirmed", {"key": "present/admin"}, text="Another question")(retold)
    held["retold"] = retold
    for name, ceremony in held.items():
        ceremony.write_bundle(folder / name)
    return Chain(held, folder)


def kinds(chain: Chain, *names: str) -> set[str]:
    return {problem.kind for problem in history_of([chain.folder / name for name in names]).problems}


def test_a_whole_chain_is_drawn_from_the_first_and_needs_only_the_newest_fingerprint(chain: Chain) -> None:
    given, newest = [chain.third, chain.crossed, chain.second, chain.first, chain.first], chain.held["third"].fingerprint
    history = history_of(given, newest)
    assert (history.word, history.exit_code, history.newest) == ("GOOD", ExitCode.DONE, newest)
    assert history_of(given).exit_code == ExitCode.UNANCHORED
    assert [problem.kind for problem in history_of(given, chain.held["second"].fingerprint).problems] == ["fingerprint"]
    first, second, third = history.ceremonies
    assert [bundle.bundle for bundle in first.bundles] == [1, 2]
    assert first.signed == {"root": 1, "proof": 1, "intermediate": 2}
    assert [ceremony.crl for ceremony in history.ceremonies] == [None, None, 1] and any(line.endswith("CRL 1") for line in drawn(history))
    assert (first.after, second.after, third.after) == (None, first.ceremony, second.ceremony)
    text = list(drawn(history))
    assert [line[:3] for line in text if line.startswith("[")] == ["[1]", "[2]", "[3]"]
    assert {len(line) <= 80 for line in text if "bundle " not in line} == {True}
    assert text[-1] == "3 ceremonies. Verdict: GOOD"


@pytest.mark.parametrize(
    ("names", "broken"),
    [
        (("first", "third"), {"gap"}),
        (("second", "third"), {"gap"}),
        (("first", "second", "fork"), {"fork"}),
        (("third", "fork"), {"fork", "gap"}),
        (("crossed", "second"), {"gap"}),
        (("first", "after_crossing"), {"older"}),
        (("first", "retold"), {"fork"}),
        (("first", "other"), {"other-root"}),
        (("second", "other", "first"), {"other-root"}),
    ],
)
def test_each_break_of_a_chain_is_told_by_its_kind(chain: Chain, names: tuple[str, ...], broken: set[str]) -> None:
    assert kinds(chain, *names) == kinds(chain, *reversed(names)) == broken


def test_a_fork_is_drawn_beside_the_chain_and_the_command_fails(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(chain.folder / name) for name in ("first", "second", "third", "fork")]
    assert main(["history", *given]) == ExitCode.CHECK_FAILED
    text = capsys.readouterr().out
    assert "+---FORK\n|   [2]" in text and "\n[3]" in text
    assert f"FAILED  fork: 2 ceremonies go on from ceremony {chain.held['first'].ceremony}" in text
    assert main(["history", str(chain.first), "--json", "--fingerprint", chain.held["first"].fingerprint]) == ExitCode.DONE
    told = parse_json(capsys.readouterr().out.encode().rstrip(b"\n"))
    assert (told["verdict"], told["anchored"], len(told["ceremonies"]), told["problems"]) == ("GOOD", True, 1, [])


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda held: {"root_certificate_sha256": "0" * 64}, "other-root"),
        (lambda held: {"fingerprint": held["retold"].fingerprint}, "gap"),
        (lambda held: {"fingerprint": held["crossed"].fingerprint}, "older"),
    ],
)
def test_a_link_that_names_something_else_is_broken(
    chain: Chain, tmp_path: Path, change: Callable[[dict[str, HeldCeremony]], dict[str, str]], kind: str
) -> None:
    forged = chain.held["second"].forged()
    previous = forged.lines[0]["data"]["previous"] | change(chain.held)
    put("opened", {}, previous=previous)(forged)
    found = {problem.kind for problem in history_of([chain.first, forged.write_bundle(tmp_path / "forged")]).problems}
    assert kind in found


def test_a_ledger_that_does_not_go_on_is_told_though_the_bundle_agrees_with_itself(chain: Chain, tmp_path: Path) -> None:
    parent = chain.held["first"]
    doctored = parent.bundle_files()[LEDGER].replace(b"CN=alpha.1", b"CN=omega.1")
    child = chain.held["second"].forged()
    child.previous = SimpleNamespace(bundle_files=lambda: {LEDGER: doctored}, fingerprint=parent.fingerprint)  # type: ignore[assignment]
    put("opened", {}, previous=child.lines[0]["data"]["previous"] | {"ledger_sha256": sha256_hex(doctored)})(child)
    bundle = child.write_bundle(tmp_path / "child")
    assert all(check.passed for check in verify_bundle(bundle).checks)
    assert {problem.kind for problem in history_of([chain.first, bundle]).problems} == {"ledger"}
    (previous,) = (check for check in verify_bundle(bundle, previous=chain.first).checks if not check.passed)
    assert (previous.name, previous.detail[:7]) == ("previous", "ledger:")


def test_a_bundle_that_does_not_verify_is_told_and_drawn_and_one_without_a_record_only_told(chain: Chain, tmp_path: Path) -> None:
    chain.held["first"].write_bundle(tmp_path / "changed", lambda files: files.update({"record/report.html": b"other"}))
    (tmp_path / "changed" / "SHA256SUMS").write_bytes(b"")
    history = history_of([tmp_path / "changed", chain.second])
    assert {problem.kind for problem in history.problems} == {"bundle"} and len(history.ceremonies) == 2
    (tmp_path / "empty").mkdir()
    history = history_of([tmp_path / "empty"])
    assert (history.ceremonies, history.word) == ((), "FAILED")
    with pytest.raises(CeremonyError, match=r"can't be opened"):
        history_of([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("bundle", "previous", "told"),
    [
        ("fork", "second", "fork: both go on from ceremony"),
        ("third", "first", "gap: between them lies"),
        ("first", "second", "older: the bundle given as the earlier one is the later"),
        ("crossed", "first", "older: the transcript"),
        ("second", "other", "other-root: they have no ceremony in common"),
    ],
)
def test_verify_tells_what_is_wrong_between_two_bundles(chain: Chain, bundle: str, previous: str, told: str) -> None:
    (failed,) = (check for check in verify_bundle(chain.folder / bundle, previous=chain.folder / previous).checks if not check.passed)
    assert failed.name == "previous" and failed.detail.startswith(told)


@pytest.mark.parametrize(
    ("given", "named", "code"),
    [
        (("first", "second", "third"), "second", "PREVIOUS-OLDER"),
        (("first", "second", "third"), "first", "PREVIOUS-OLDER"),
        (("second",), "first", "PREVIOUS-OLDER"),
        (("crossed", "first"), "crossed", "PREVIOUS-OLDER"),
        (("first",), "crossed", "PREVIOUS-OLDER"),
        (("second",), "third", "PREVIOUS-REFUSED"),
        (("first", "second", "fork"), "second", "PREVIOUS-REFUSED"),
        (("first", "other"), "first", "PREVIOUS-OTHER-ROOT"),
        (("first", "nowhere"), "first", "PREVIOUS-MISSING"),
        (("crossed", "third"), "third", None),
    ],
)
def test_a_ceremony_goes_on_from_the_last_bundle_alone(chain: Chain, given: tuple[str, ...], named: str, code: str | None) -> None:
    paths, root = [chain.folder / name for name in given], chain.held["first"].tables.root
    if code is None:
        assert bundle_to_go_on_from(paths, chain.held[named].fingerprint, root) == chain.folder / named
        return
    with pytest.raises(CeremonyError) as refused:
        bundle_to_go_on_from(paths, chain.held[named].fingerprint, root)
    assert (refused.value.code, refused.value.state) == (code, "Nothing was begun.")


def test_a_script_of_another_root_than_the_bundles_is_refused_before_anything_is_begun(chain: Chain, tmp_path: Path) -> None:
    script = read_script(path_of("sign-intermediates").read_bytes())
    previous = msgspec.structs.replace(script.previous, fingerprint=chain.held["first"].fingerprint)  # type: ignore[type-var]
    label = msgspec.structs.replace(script.root, subject=chain.held["first"].tables.root.subject, label="example-root-g2")
    with CeremonyFolder.create(tmp_path / "new") as folder, pytest.raises(CeremonyError, match="example-root-g1") as refused:
        _taken_over(folder, msgspec.structs.replace(script, previous=previous, root=label), [chain.first], rehearsal=False)
    assert refused.value.code == "PREVIOUS-OTHER-ROOT"
    assert not (tmp_path / "new" / "work" / "previous").exists()
