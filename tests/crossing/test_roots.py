"""Two roots in one chain: each has its own CRLs and certificates, every bundle holds both, and no third one slips in."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ceremony.activation.roster import signature_holds
from ceremony.crossing.artifacts import read_crl_file
from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.duties import duties_of
from ceremony.crossing.held_pins import BothPins
from ceremony.crossing.history import history_of
from ceremony.crossing.ledger import LedgerOfCeremony, certified_in, read_ledger
from ceremony.crossing.previous import bundle_to_go_on_from
from ceremony.crossing.roots import activation_in, last_crl, living_roots, other_roots
from ceremony.crossing.verified import verified_bundle
from ceremony.crossing.verify import verify_bundle
from ceremony.engine.step import Act
from ceremony.errors import CeremonyError
from ceremony.room.read_previous import ReadPrevious
from ceremony.shipped import path_of
from ceremony.steps.generate_root import GenerateRoot
from ceremony.words import sha256_hex
from docs import verify_bundle as page
from tests.crossing.forging import failed
from tests.crossing.held_ceremony import HeldCeremony, spki, whole_ceremony
from tests.crossing.held_crl import REVOKE_ALPHA
from tests.crossing.held_roots import CRL_1, CRL_2, G1, G2, ROOT_1, ROOT_2, crl_of, second_root
from tests.steps.test_issue_crl import known

SECOND = path_of("root-generation").read_text().replace("[activation]", f'[previous]\nfingerprint = "{"0" * 64}"\n\n[activation]', 1)
PRODUCTION = {"rehearsal": False, "software": False}


@dataclass(frozen=True)
class Chain:
    """First root; second root; CRL of the first; CRL of the second."""

    held: tuple[HeldCeremony, ...]
    bundles: tuple[Path, ...]

    @property
    def ceremonies(self) -> tuple[LedgerOfCeremony, ...]:
        return read_ledger(self.held[-1].bundle_files()[LEDGER]).ceremonies


@pytest.fixture(autouse=True)
def _by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """openssl judges people's signatures in the tests of the page; here certificates and CRLs alone."""
    monkeypatch.setattr(page, "credential_holds", lambda key, signed, signature: signature_holds(key, signed, bytes.fromhex(signature)))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("roots")
    first = whole_ceremony(folder / "1", **PRODUCTION)
    second = second_root(folder / "2", first)
    third = crl_of(folder / "3", second, first, carried=(ROOT_2,), revoke=REVOKE_ALPHA)
    fourth = crl_of(folder / "4", third, second, carried=(ROOT_1, CRL_1))
    held = (first, second, third, fourth)
    return Chain(held, tuple(one.write_bundle(folder / f"bundle-{number}") for number, one in enumerate(held, 1)))


def problems(ceremony: HeldCeremony, folder: Path) -> tuple[set[str], str]:
    verdict = verify_bundle(ceremony.write_bundle(folder), fingerprint=ceremony.fingerprint)
    return failed(verdict), "; ".join(check.detail for check in verdict.checks if not check.passed)


def test_either_root_goes_on_and_every_bundle_holds_both(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    history = history_of(chain.bundles, chain.held[-1].fingerprint)
    assert (history.word, [ceremony.crl for ceremony in history.ceremonies]) == ("GOOD", [None, None, 1, 2])
    last = verified_bundle(chain.bundles[3], chain.held[3].fingerprint)
    assert (last.label, list(last.other_roots), len(last.crls)) == (G2, [G1], 2)
    assert {"root/" + path.name for path in (chain.bundles[3] / "root").iterdir()} == {ROOT_1, ROOT_2}
    for bundle, held in zip(chain.bundles, chain.held, strict=True):
        assert page.main(str(bundle), held.fingerprint) == 0, capsys.readouterr().out


def test_crls_entries_and_numbers_are_kept_apart(chain: Chain) -> None:
    crls = [read_crl_file(chain.held[3].artifacts[path]) for path in (CRL_1, CRL_2)]
    assert [(crl.number, len(crl.revoked)) for crl in crls] == [(1, 1), (2, 0)]
    assert [last.number for label in (G1, G2) if (last := last_crl(chain.ceremonies, label))] == [1, 2]
    roots = {found.root for found in certified_in(chain.ceremonies) if found.purpose == "intermediate"}
    assert roots == {sha256_hex(chain.held[0].root_der)}
    assert [root.label for root in living_roots(chain.ceremonies)] == [G1, G2]
    assert other_roots(chain.ceremonies, sha256_hex(spki(chain.held[0].root_key))) == [G2]
    duties = duties_of(chain.bundles[3], None)
    assert {duty.name for duty in duties.duties if duty.kind == "crl"} == {G1, G2}
    assert duties.root_fingerprint == duties_of(chain.bundles[0], None).root_fingerprint


def test_the_pins_are_those_of_the_token_that_holds_the_root(chain: Chain) -> None:
    pins = [cast(BothPins, name) for name in ("first's", "second's")]
    told = [SimpleNamespace(root=one.root, entries=one.entries, activation=None) for one in chain.ceremonies]
    told[0].activation, told[1].activation = pins
    keys = [sha256_hex(spki(one.root_key)) for one in chain.held[:2]]
    assert [activation_in(cast(Any, told), key) for key in keys] == pins


def test_what_is_not_carried_on_or_comes_from_elsewhere_is_told(chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third, _ = chain.held
    without = second_root(tmp_path / "a", first, carried=())
    assert problems(without, tmp_path / "1") == ({"root-certificate"}, f"the certificate of the root {G1}, which lives, is not here")
    no_crl = crl_of(tmp_path / "b", third, second, carried=(ROOT_1,))
    assert problems(no_crl, tmp_path / "2") == ({"crl"}, f"the last CRL of {G1} in the ledger is not here")
    foreign = whole_ceremony(tmp_path / "c", **PRODUCTION)
    smuggled = second_root(tmp_path / "d", first, foreign=foreign.artifacts[ROOT_1])
    found, text = problems(smuggled, tmp_path / "3")
    assert {"artifacts-accounted", "root-certificate"} <= found and "nor one of the ledger" in text
    assert page.main(str(tmp_path / "3"), smuggled.fingerprint) == 1 and "root/foreign.cert.pem: no line tells" in capsys.readouterr().out


def test_a_root_of_a_name_that_is_taken_or_of_no_chain_is_told(chain: Chain, tmp_path: Path) -> None:
    twice = second_root(tmp_path / "a", chain.held[1], carried=(ROOT_1,))
    found, text = problems(twice, tmp_path / "1")
    assert "root-certificate" in found and "has that label" in text and "has that subject" in text
    stranger = whole_ceremony(tmp_path / "b", **PRODUCTION)
    other = crl_of(tmp_path / "c", chain.held[0], stranger, carried=())
    broken = history_of([chain.bundles[0], other.write_bundle(tmp_path / "2")]).problems
    assert "other-root" in {problem.kind for problem in broken}


def taken_over(chain: Chain, number: int, folder: Path, **args: Any) -> dict[str, Any]:
    (folder / "work").mkdir(parents=True)
    (folder / "work" / "previous").symlink_to(chain.bundles[number])
    room = cast(Any, SimpleNamespace(folder=SimpleNamespace(path=folder)))
    return ReadPrevious().do(room, args, cast(Any, None))


def test_a_ceremony_takes_up_the_root_that_its_script_names(chain: Chain, tmp_path: Path) -> None:
    one, two = (taken_over(chain, 3, tmp_path / label, label=label) for label in (G1, G2))
    assert one["root_certificate_sha256"] == sha256_hex(chain.held[0].root_der)
    assert [file["path"] for file in one["carried_on"]] == [ROOT_2, CRL_2]
    assert [file["path"] for file in two["carried_on"]] == [ROOT_1, CRL_1]
    assert (one["serials"], one["last_crl_number"]) == (two["serials"], 2) and one["last_crl"] != two["last_crl"]
    with pytest.raises(CeremonyError, match="no root with the label g3"):
        taken_over(chain, 3, tmp_path / "none", label="g3")
    tables = chain.held[0].tables.root
    newest, fingerprint = chain.bundles[3], chain.held[3].fingerprint
    assert bundle_to_go_on_from([newest], fingerprint, tables) == newest
    with pytest.raises(CeremonyError, match="takes up example-root-g1") as refused:
        bundle_to_go_on_from([newest], fingerprint, cast(Any, SimpleNamespace(label=G1, subject="CN=Another")))
    assert refused.value.code == "PREVIOUS-OTHER-ROOT"


def test_a_new_root_of_the_chain_takes_over_its_ledger_and_no_name_of_it(chain: Chain, tmp_path: Path) -> None:
    step = GenerateRoot(title="Root", actor="officer", confirm=("witness-1",))
    previous = taken_over(chain, 2, tmp_path)
    for label, subject, taken in ((G1, "CN=Example Devices Root CA G3,O=Example", True), ("g3", "CN=New,O=Example", False)):
        text = SECOND.replace("example-root-g1", label).replace("CN=Example Devices Root CA G1,O=Example,C=NO", subject)
        run = step.run(known(text, {}, rehearsal=False))
        asked = next(run)
        assert isinstance(asked, Act) and (asked.verb, asked.args) == ("read-previous", {})
        if taken:
            with pytest.raises(CeremonyError) as refused:
                run.send(previous)
            assert refused.value.code == "ROOT-NAME-TAKEN"
        else:
            written = [run.send(previous), *(run.send({}) for _ in previous["carried_on"][1:])]
            assert [act.args["path"] for act in written if isinstance(act, Act)] == [ROOT_1, CRL_1, ROOT_2]
