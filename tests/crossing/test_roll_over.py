"""A roll-over: what `verify`, openssl and the next ceremony make of it, and each way in which it can be wrong."""

import dataclasses
import datetime as dt
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.activation.roster import signature_holds
from ceremony.crossing.held_pins import BothPins
from ceremony.crossing.history import history_of
from ceremony.crossing.ledger import certified_in, read_ledger
from ceremony.crossing.roots import activation_in, living_roots, of_other_roots
from ceremony.crossing.verify import verify_bundle
from ceremony.engine.step import Act
from ceremony.errors import CeremonyError
from ceremony.pki.destroying import still_needed
from ceremony.pki.names import parse_name
from ceremony.pki.profiles import RootTable
from ceremony.pki.revoking import Certified
from ceremony.pki.roll_over import NEW_WITH_OLD, OLD_WITH_NEW, RollOverTable, cross_profile, holes, problems_with_roll_over
from ceremony.script import read_script
from ceremony.shipped import path_of
from ceremony.steps.use_root import UseRoot
from ceremony.words import sha256_hex
from docs import verify_bundle as page
from tests.crossing.forging import failed
from tests.crossing.held_ceremony import HeldCeremony, first_session, new_csr, new_root_key, spki
from tests.crossing.held_reissue import serial_of
from tests.crossing.held_roll_over import CROSS, UNTIL, roll_over, roll_over_script
from tests.crossing.held_roots import CRL_2, G1, G2, ROOT_1, crl_of
from tests.e2e.openssl import openssl
from tests.steps.test_issue_crl import known, taken_over

PRODUCTION = {"rehearsal": False, "software": False}


@pytest.fixture(autouse=True)
def _by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """openssl judges people's signatures in the tests of the page; here certificates alone."""
    monkeypatch.setattr(page, "credential_holds", lambda key, signed, signature: signature_holds(key, signed, bytes.fromhex(signature)))


@pytest.fixture(scope="module")
def alpha_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, alpha_key: ec.EllipticCurvePrivateKey) -> HeldCeremony:
    """The first root, with alpha.1 and beta.1 until 2031."""
    held = first_session(tmp_path_factory.mktemp("first"), **PRODUCTION)
    held.cross()
    held.prepare()
    csrs = {"alpha.1": new_csr("CN=alpha.1,O=Example", alpha_key), "beta.1": new_csr("CN=beta.1,O=Example")}
    held.import_request(csrs, proof=True)
    held.prove()
    held.sign_intermediates()
    held.seal("close")
    return held


@pytest.fixture(scope="module")
def rolled(tmp_path_factory: pytest.TempPathFactory, first: HeldCeremony) -> HeldCeremony:
    return roll_over(tmp_path_factory.mktemp("rolled"), first)


def problems(ceremony: HeldCeremony, folder: Path) -> tuple[set[str], str]:
    verdict = verify_bundle(ceremony.write_bundle(folder), fingerprint=ceremony.fingerprint)
    return failed(verdict), "; ".join(check.detail for check in verdict.checks if not check.passed)


def test_it_is_good_and_told_apart_by_who_signed(
    first: HeldCeremony, rolled: HeldCeremony, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert problems(rolled, tmp_path / "2") == (set(), "")
    assert page.main(str(tmp_path / "2"), rolled.fingerprint) == 0, capsys.readouterr().out
    assert history_of([first.write_bundle(tmp_path / "1"), tmp_path / "2"], rolled.fingerprint).word == "GOOD"
    ceremonies = read_ledger((tmp_path / "2" / "record" / "ledger.json").read_bytes()).ceremonies
    old, new = (sha256_hex(held.root_der) for held in (first, rolled))
    assert [found.root for found in certified_in(ceremonies) if found.purpose == "cross"] == [old, new]
    cross = {entry.path: entry for entry in ceremonies[-1].entries if entry.purpose == "cross"}
    elsewhere = of_other_roots(ceremonies, sha256_hex(spki(first.root_key)))
    assert (cross[CROSS[NEW_WITH_OLD]].serial in elsewhere, cross[CROSS[OLD_WITH_NEW]].serial in elsewhere) == (False, True)
    # Both keys lie on one token, whichever root made its PINs anew.
    pins = cast(BothPins, "the first's")
    told = [SimpleNamespace(root=one.root, entries=one.entries, activation=None) for one in ceremonies]
    told[0].activation = pins
    assert activation_in(cast(Any, told), sha256_hex(spki(rolled.root_key))) == pins
    assert [root.label for root in living_roots(ceremonies)] == [G1, G2]
    # The old root's key is needed until what it signed has ended, the new one's certificate by it too.
    under_old = [found for found in certified_in(ceremonies) if found.serial not in elsewhere]
    assert "4 certificates under it live" in "; ".join(still_needed(under_old, (), "2026-12-20", [G2], lost=False))
    assert not list(still_needed(under_old, (), "2036-11-20", [G2], lost=False))


def test_a_device_passes_with_either_root_alone(
    first: HeldCeremony, rolled: HeldCeremony, alpha_key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    """openssl is the judge: a leaf of alpha.1 under both of its certificates, with one root trusted and the cross-certificate to it."""
    name = parse_name("CN=device-1,O=Example")
    issuer = x509.load_pem_x509_certificate(rolled.artifacts["intermediates/alpha.1.cert.pem"])
    start = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    leaf = x509.CertificateBuilder().subject_name(name).issuer_name(issuer.subject).public_key(new_root_key("ec").public_key())
    leaf = leaf.serial_number(7).not_valid_before(start).not_valid_after(start.replace(year=2030))
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(alpha_key.public_key()), critical=False)
    files = {"leaf": leaf.sign(alpha_key, hashes.SHA256()).public_bytes(Encoding.PEM)}
    files |= {"old": first.artifacts[ROOT_1], "new": rolled.artifacts[f"root/{G2}.cert.pem"]}
    files |= {name: rolled.artifacts[CROSS[name]] for name in CROSS}
    files |= {f"alpha by {which}": held.artifacts["intermediates/alpha.1.cert.pem"] for which, held in (("old", first), ("new", rolled))}
    for path, pem in files.items():
        (tmp_path / path).write_bytes(pem)

    def passes(trusted: str, *untrusted: str) -> bool:
        (tmp_path / "untrusted").write_bytes(b"".join(files[name] for name in untrusted))
        at = ("-attime", str(int(dt.datetime(2027, 1, 1, tzinfo=dt.UTC).timestamp())), "-no-CApath", "-no-CAstore")
        try:
            openssl("verify", *at, "-CAfile", tmp_path / trusted, "-untrusted", tmp_path / "untrusted", tmp_path / "leaf")
        except AssertionError:
            return False
        return True

    assert passes("new", "alpha by new") and passes("old", "alpha by old")
    assert passes("old", "alpha by new", NEW_WITH_OLD) and passes("new", "alpha by old", OLD_WITH_NEW)
    assert not passes("old", "alpha by new") and not passes("new", "alpha by old")


def beta_outlives(script: bytes) -> bytes:
    """The overlap ends before beta.1 does, and nothing replaces that."""
    return script.replace(b"overlap_until = 2036", b"overlap_until = 2030").replace(b'"beta.2"', b'"gamma.1"')


Wrong = Callable[[HeldCeremony, HeldCeremony], dict[str, Any]]
WRONG: dict[str, tuple[Wrong, str]] = {
    "ends too late": (lambda first, rolled: {"until": UNTIL.replace(year=2040)}, "not after is '2040-11-19"),
    "one is missing": (lambda first, rolled: {"left_out": OLD_WITH_NEW}, f"{CROSS[OLD_WITH_NEW]}, which the step cross-certify makes"),
    "another key": (lambda first, rolled: {"keys": {NEW_WITH_OLD: new_root_key("ec")}}, "holds another key than that of the root"),
    "another signer": (
        lambda first, rolled: {"signers": {NEW_WITH_OLD: (rolled.root_key, rolled.root_der)}},
        f"{CROSS[NEW_WITH_OLD]} was not signed by the root that it names",
    ),
    "no roll-over in the script": (
        lambda first, rolled: {"script": roll_over_script(first, reissue=False).replace(b"[roll_over]", b"[was_roll_over]")},
        "the script has no roll-over between these roots",
    ),
    "the old root is another": (
        lambda first, rolled: {"script": roll_over_script(first).replace(b"not_after = 2046", b"not_after = 2047")},
        "ROLL-OVER-DIFFERS",
    ),
    "an intermediate is forgotten": (
        lambda first, rolled: {"script": beta_outlives(roll_over_script(first)), "until": UNTIL.replace(year=2030)},
        "CN=beta.1,O=Example",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_verify_tells_a_roll_over_that_is_not_as_it_must_be(
    first: HeldCeremony, rolled: HeldCeremony, tmp_path: Path, what: str
) -> None:
    wrong, told = WRONG[what]
    found, text = problems(roll_over(tmp_path / "held", first, **wrong(first, rolled)), tmp_path / "bundle")
    assert "cross-certificates" in found and told in text


def test_the_next_ceremony_carries_both_roots_and_what_is_between_them(rolled: HeldCeremony, tmp_path: Path) -> None:
    carried = (ROOT_1, *CROSS.values())
    good = crl_of(tmp_path / "good", rolled, rolled, carried=carried)
    assert problems(good, tmp_path / "1") == (set(), "") and CRL_2 in good.artifacts
    lost = crl_of(tmp_path / "lost", rolled, rolled, carried=carried[:2])
    found, text = problems(lost, tmp_path / "2")
    assert (found, text) == ({"cross-certificates"}, f"{CROSS[OLD_WITH_NEW]}, which an earlier ceremony made, is not here")


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("overlap_until = 2036", "overlap_until = 2036", None),
        ("overlap_until = 2036", "overlap_until = 2030", "ROLL-OVER-HOLE"),
        (f'label = "{G2}"', 'label = "example-root-g9"', None),
        ('subject = "CN=Example Devices Root CA G1,O=Example,C=NO"\nkey', 'subject = "CN=New"\nkey', "SCRIPT-INVALID"),
    ],
)
def test_a_hole_is_refused_when_the_old_root_is_taken_up(
    first: HeldCeremony, tmp_path: Path, before: str, after: str, code: str | None
) -> None:
    """Before the token is asked anything: beta.1 holds until 2031, and here nothing replaces it."""
    text = path_of("roll-over-root").read_text().replace("0" * 40, serial_of(first, "alpha.1")).replace('"beta.2"', '"gamma.1"')
    text = text.replace("example-root-g2", G2).replace(before, after)
    if code == "SCRIPT-INVALID":
        with pytest.raises(CeremonyError, match="ROLL-OVER-PATH"):
            read_script(text.encode())
        return
    text = text.replace('certificate = "example-root-g2"', f'certificate = "{read_label(text)}"')
    run = UseRoot(title="Root", actor="officer", confirm=("witness-1",)).run(known(text, {}, rehearsal=False))
    asked = next(run)
    assert isinstance(asked, Act) and asked.args == {"label": G1, "intermediates": True}
    previous = taken_over(first, tmp_path, intermediates=True)
    if code is None:
        found = run.send(previous)
        assert isinstance(found, Act) and found.verb == "find-root"
    else:
        with pytest.raises(CeremonyError, match=r"CN=beta\.1") as refused:
            run.send(previous)
        assert refused.value.code == code


def read_label(text: str) -> str:
    """The new root's label in this script."""
    return str(tomllib.loads(text)["root"]["label"])


NEW = RootTable(subject="CN=Root,O=Example", key="ec:secp384r1", label="g2", not_after=dt.datetime(2056, 1, 1, tzinfo=dt.UTC))
TABLE = RollOverTable(
    label="g1",
    subject="CN=Root,O=Example",
    not_after=dt.datetime(2046, 1, 1, tzinfo=dt.UTC),
    overlap_until=dt.datetime(2036, 1, 1, tzinfo=dt.UTC),
)
FIRST_DAY, LAST_DAY = dt.date(2026, 11, 20), dt.date(2026, 12, 18)


@pytest.mark.parametrize(
    ("table", "root", "told"),
    [
        ({}, {}, ""),
        ({"not_after": dt.datetime(2026, 12, 1, tzinfo=dt.UTC)}, {}, "the old root ends before the new one begins"),
        ({}, {"not_after": dt.datetime(2045, 1, 1, tzinfo=dt.UTC)}, "the new root ends no later than the old"),
        ({"overlap_until": dt.datetime(2026, 12, 1, tzinfo=dt.UTC)}, {}, "the overlap ends before it begins"),
        ({"overlap_until": dt.datetime(2047, 1, 1, tzinfo=dt.UTC)}, {}, "would outlive the old root"),
        ({"overlap_until": dt.datetime(2057, 1, 1, tzinfo=dt.UTC)}, {}, "would outlive the new root"),
        ({}, {"label": "g1"}, "[root] is the new root, and needs another"),
        ({}, {"subject": "CN=Root 2,O=Example"}, "ROLL-OVER-PATH"),
        ({"path_length": 2}, {"subject": "CN=Root 2,O=Example", "path_length": 2}, ""),
    ],
)
def test_a_script_whose_dates_or_names_leave_a_hole_is_refused(table: dict[str, Any], root: dict[str, Any], told: str) -> None:
    changed = msgspec.structs.replace(TABLE, **table), msgspec.structs.replace(NEW, **root)
    found = "; ".join(what for _, what in problems_with_roll_over(*changed, FIRST_DAY, LAST_DAY, (), "present"))
    assert told in found and bool(told) == bool(found)


@dataclasses.dataclass(frozen=True)
class Entry:
    name: str
    reissue: str | None = None


ALPHA = Certified("7" * 40, "intermediate", "CN=alpha.1", "alpha.1", False, None, "2040-01-01T00:00:00Z", root="old")


@pytest.mark.parametrize(
    ("found", "entries", "told"),
    [
        (ALPHA, (), "and is not moved to the new root"),
        (ALPHA, (Entry("alpha.1", ALPHA.serial),), ""),
        (ALPHA, (Entry("alpha.2"),), ""),
        (ALPHA, (Entry("beta.2"),), "and is not moved"),
        (dataclasses.replace(ALPHA, not_after="2035-01-01T00:00:00Z"), (), ""),
        (dataclasses.replace(ALPHA, not_after="2026-01-01T00:00:00Z"), (Entry("alpha.1", ALPHA.serial),), "before its successor"),
        (dataclasses.replace(ALPHA, revoked="superseded"), (), ""),
        (dataclasses.replace(ALPHA, possibly=True), (), ""),
        (dataclasses.replace(ALPHA, root="another"), (), ""),
    ],
)
def test_no_intermediate_of_the_old_root_is_forgotten(found: Certified, entries: tuple[Entry, ...], told: str) -> None:
    text = "; ".join(holes(TABLE, entries, [found], "old", LAST_DAY, rehearsal=False))
    assert told in text and bool(told) == bool(text)


def test_a_cross_certificate_lies_inside_both_roots(first: HeldCeremony, rolled: HeldCeremony) -> None:
    day = dt.date(2026, 11, 24)
    assert cross_profile(rolled.root_der, first.root_der, day, UNTIL).path_length == 1
    for when, until in ((day, UNTIL.replace(year=2047)), (dt.date(2026, 11, 1), UNTIL), (dt.date(2036, 11, 19), UNTIL)):
        with pytest.raises(CeremonyError) as refused:
            cross_profile(rolled.root_der, first.root_der, when, until)
        assert refused.value.code == "ROLL-OVER-DATES"
