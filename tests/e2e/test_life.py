"""A root's life, simulated: twelve ceremonies on one chain, two roots; at each point the record, openssl and the service agree."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ceremony.crossing.history import history_of
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError
from tests.e2e.life import CRL, SERVICE, SIGN, START, USE, Held, Life, life
from tests.engine.conftest import place as place  # noqa: PLC0414 - a fixture

G1, G2 = "example-root-g1", "example-root-g2"
_SUBJECT = "CN=Example Devices Root CA G1,O=Example,C=NO"
_PROFILE = {"extended_key_usage": ["clientAuth"], "subject": "CN=*,O=Example"}


def until(day: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{day}T00:00:00Z")


def intermediates(*names: str, end: str) -> dict[str, Any]:
    return {
        "profiles": {"factory": {**_PROFILE, "not_after": until(end)}},
        "intermediates": [{"name": name, "profile": "factory"} for name in names],
    }


def crl(end: str, **revoke: Any) -> dict[str, Any]:
    return {"crl": {"next_update": until(end)}, **({"revoke": [revoke]} if revoke else {})}


def looked_at(lived: Life, **wanted: str) -> None:
    """Chain and newest bundle are good, openssl says this of each intermediate, and the duties can be told."""
    newest = lived.ceremonies[-1]
    before = lived.ceremonies[-2].bundle if len(lived.ceremonies) > 1 else None
    verdict = verify_bundle(newest.bundle, fingerprint=newest.fingerprint, previous=before)
    assert verdict.word == "GOOD", [check for check in verdict.checks if not check.passed]
    history = history_of([held.bundle for held in lived.ceremonies], newest.fingerprint)
    assert (history.word, len(history.ceremonies)) == ("GOOD", len(lived.ceremonies)), history.problems
    assert lived.judged(G1) == {name.replace("_", "."): state for name, state in wanted.items()}


def over_the_gap(lived: Life, out: tuple[str, ...], back: tuple[str, ...], names: tuple[str, ...], **tables: Any) -> None:
    """A ceremony that crosses the gap once: the new root goes out and up, its code and the CSRs come back the day after."""
    label = lived.root["label"]
    proofs = {"proofs": [{"service": SERVICE, "certificate": label}]}
    world = lived.begin((*out, "crossing", *START, *back), {**tables, **proofs})
    assert lived.conduct(world) == "crossing"
    root_out, fingerprint = world.folder / "bundles" / "1", world.paper[-1]
    lived.apply(root_out, fingerprint)
    assert lived.at_service()[0][label] is False
    lived.on((lived.clock.moment + dt.timedelta(days=1)).date().isoformat())
    csrs = []
    for name in names:
        (lived.base / f"{name}.pem").write_bytes(lived.csr(name))
        csrs += ["--csr", f"{name}={lived.base / name}.pem"]
    packed = lived.base / f"request-for-{label}"
    given = ("--bundle", root_out, "--fingerprint", fingerprint, "--receipts", lived.receipts)
    lived.done("request", "-o", packed, *csrs, "--dps", SERVICE, *given)
    world.packed = packed
    assert lived.conduct(world) == "closed"
    lived.ended(world)
    lived.apply_last()


def born(lived: Life) -> None:
    """The first ceremony: root, proof, three intermediates, the first CRL."""
    names = ("alpha.1", "beta.1", "gamma.1")
    out = (*START, "initialise-token", "unlock", "generate-root", "unlock", "certify-root")
    back = ("import-request", "unlock", "prove-possession", "unlock", "sign-intermediates", *CRL)
    over_the_gap(lived, out, back, names, **intermediates(*names, end="2031-11-24"), **crl("2027-12-24"))


@pytest.fixture
def lived(place: Path) -> Iterator[Life]:
    root = {"subject": _SUBJECT, "label": G1, "not_after": until("2046-11-19")}
    with life(place / "life", "2026-11-24", **root) as found:
        yield found


def test_a_life(lived: Life) -> None:
    born(lived)
    looked_at(lived, alpha_1="good", beta_1="good", gamma_1="good")
    assert lived.at_service() == ({G1: True}, {"alpha.1": True, "beta.1": True, "gamma.1": True})
    yearly_crls(lived)
    compromised(lived)
    renewed(lived)
    rolled_over(lived)
    ended(lived)
    forked_and_with_a_gap(lived)
    lost(lived)


def yearly_crls(lived: Life) -> None:
    """A CRL in the second year, and in the third with it a look whether the token is well."""
    lived.on("2027-11-24")
    lived.hold(*USE, *CRL, **crl("2028-12-24"))
    looked_at(lived, alpha_1="good", beta_1="good", gamma_1="good")
    lived.on("2028-11-24")
    lived.hold(*USE, "unlock", "check-token", *CRL, **crl("2029-12-24"))
    looked_at(lived, alpha_1="good", beta_1="good", gamma_1="good")
    status = lived.status()
    assert [finding["kind"] for finding in status["findings"] if finding["kind"] != "note"] == []
    assert {"ceremony", "crl", "intermediate", "root"} <= {duty["kind"] for duty in status["duties"]}


def compromised(lived: Life) -> None:
    """The key of beta.1 is stolen: revoked, disabled at the service, replaced."""
    lived.on("2029-06-04")
    revoke = {"name": "beta.1", "reason": "keyCompromise", "date": dt.date(2029, 6, 2)}
    lived.hold(*USE, *CRL, **crl("2030-12-24", **revoke))
    looked_at(lived, alpha_1="good", beta_1="revoked", gamma_1="good")
    assert [(found["kind"], found["name"]) for found in lived.status()["findings"] if "revoked" in found["text"]] == [("danger", "beta.1")]
    lived.done("disable", "beta.1", "--receipts", lived.receipts)
    assert [(found["kind"], found["name"]) for found in lived.status()["findings"] if "revoked" in found["text"]] == [("note", "beta.1")]
    lived.on("2029-06-11")
    lived.hold(*USE, *SIGN, csrs=("beta.2",), **intermediates("beta.2", end="2034-06-11"))
    lived.apply_last()
    looked_at(lived, alpha_1="good", beta_1="revoked", gamma_1="good", beta_2="good")
    assert lived.at_service() == ({G1: True}, {"alpha.1": True, "beta.1": False, "gamma.1": True, "beta.2": True})


def renewed(lived: Life) -> None:
    """New keys for two factories before their intermediates end, second in the same groups at first; then the old ones go."""
    lived.on("2030-11-24")
    lived.hold(*USE, *SIGN, *CRL, csrs=("alpha.2", "gamma.2"), **intermediates("alpha.2", "gamma.2", end="2036-11-24"), **crl("2031-12-24"))
    lived.apply_last()
    looked_at(lived, alpha_1="good", beta_1="revoked", gamma_1="good", beta_2="good", alpha_2="good", gamma_2="good")
    lived.on("2031-11-25")
    lived.hold(*USE, *CRL, **crl("2034-12-24"))
    looked_at(lived, alpha_1="expired", beta_1="revoked", gamma_1="expired", beta_2="good", alpha_2="good", gamma_2="good")
    for name in ("alpha.1", "beta.1", "gamma.1"):
        lived.done("retire", name, "--confirm", name, "--receipts", lived.receipts)
    assert lived.at_service() == ({G1: True}, {"beta.2": True, "alpha.2": True, "gamma.2": True})


def rolled_over(lived: Life) -> None:
    """A new root of the same name on the same token; each signs the other. It is proved at the service before anything moves."""
    lived.on("2033-11-24")
    old = {"label": G1, "subject": _SUBJECT, "not_after": until("2046-11-19"), "overlap_until": until("2037-01-01")}
    lived.root = lived.root | {"label": G2, "not_after": until("2053-11-19")}
    names, wanted = ("alpha.2", "beta.3", "gamma.3"), intermediates("alpha.2", "beta.3", "gamma.3", end="2038-11-24")
    wanted["intermediates"][0]["reissue"] = lived.serial_of("alpha.2")
    out = (*USE, "unlock", "generate-root", "unlock", "certify-root", "unlock", "cross-certify")
    back = ("import-request", "unlock", "prove-possession", "unlock", "sign-intermediates")
    over_the_gap(lived, out, back, names, roll_over=old, **wanted)
    rolled = lived.ceremonies[-1]
    looked_at(lived, **OLD, beta_2="good", alpha_2="good", gamma_2="good")
    new_with_old, old_with_new = f"cross/{G2}/by-{G1}.cert.pem", f"cross/{G1}/by-{G2}.cert.pem"
    assert lived.accepts("gamma.3", G1, new_with_old) and lived.accepts("beta.2", G2, old_with_new)
    assert not lived.accepts("gamma.3", G1) and not lived.accepts("beta.2", G2)
    groups = dict.fromkeys(("alpha.2", "beta.2", "gamma.2", "beta.3", "gamma.3"), True)
    assert lived.at_service() == ({G1: True, G2: True}, groups)
    assert lived.serials_in_group("alpha.2")[1:] == [lived.serial_of("alpha.2")], "devices of either chain get in"
    lived.on("2033-12-01")
    lived.hold(*USE, *CRL, **crl("2037-06-24"))
    looked_at(lived, **OLD, beta_2="good", alpha_2="good", gamma_2="good")
    assert lived.judged(G2) == dict.fromkeys(names, "good")
    lived.apply(rolled.bundle, rolled.fingerprint, "--promote", "alpha.2")
    assert lived.serials_in_group("alpha.2") == [lived.serial_of("alpha.2")]


OLD = {"alpha_1": "expired", "beta_1": "revoked", "gamma_1": "expired"}


def ended(lived: Life) -> None:
    """The old root's last years, the end of its key, and the first year without it."""
    lived.root, young = lived.root | {"label": G1, "not_after": until("2046-11-19")}, lived.root
    lived.on("2034-11-24")
    lived.hold(*USE, *CRL, **crl("2037-01-24"))
    looked_at(lived, **OLD, beta_2="expired", alpha_2="good", gamma_2="good")
    lived.on("2037-01-02")
    lived.hold(*USE, *CRL, "unlock", "destroy-key", **crl("2046-11-18"))
    looked_at(lived, **OLD, beta_2="expired", alpha_2="expired", gamma_2="expired")
    assert [pair.label for pair in lived.store.pairs.values()] == [G2]
    assert destroyed_at(lived) == ["drift"]
    for name in ("beta.2", "gamma.2", G1):
        lived.done("retire", name, "--confirm", name, "--receipts", lived.receipts)
    assert destroyed_at(lived) == ["note"]
    lived.root = young
    lived.on("2037-01-10")
    lived.hold(*USE, *CRL, **crl("2038-02-24"))
    assert lived.judged(G2) == {"alpha.2": "good", "beta.3": "good", "gamma.3": "good"}
    assert lived.at_service() == ({G2: True}, {"alpha.2": True, "beta.3": True, "gamma.3": True})
    assert [path.name for path in (lived.ceremonies[-1].bundle / "root").iterdir()] == [f"{G2}.cert.pem"]
    assert len(lived.ceremonies) == 12


def destroyed_at(lived: Life) -> list[str]:
    return [found["kind"] for found in lived.status()["findings"] if "its key is destroyed" in found["text"]]


def forked_and_with_a_gap(lived: Life) -> None:
    """Another ceremony from where the last one began; and the chain without one in its middle."""
    *before, newest = lived.ceremonies
    fork = lived.hold(*USE, *CRL, going_on_from=before[-1], **crl("2038-02-24"))
    assert verify_bundle(fork.bundle, fingerprint=fork.fingerprint, previous=before[-1].bundle).word == "GOOD"
    assert kinds([*lived.ceremonies, fork]) == {"fork"}
    assert broken(fork, newest) == "fork"
    assert kinds([*before[:2], *before[3:], newest]) == {"gap"}
    assert broken(newest, before[-2]) == "gap"


def kinds(given: list[Held]) -> set[str]:
    return {problem.kind for problem in history_of([held.bundle for held in given]).problems}


def broken(later: Held, earlier: Held) -> str:
    """What `verify --previous` says is wrong between the two."""
    (check,) = (check for check in verify_bundle(later.bundle, previous=earlier.bundle).checks if not check.passed)
    assert check.name == "previous"
    return check.detail.partition(":")[0]


def lost(lived: Life) -> None:
    """The newest bundle is lost: the chain goes on from the one before it, and says so."""
    *before, newest = lived.ceremonies
    said = {"fingerprint": before[-1].fingerprint, "ledger": "lost", "last": newest.fingerprint, "reason": "The safe burnt."}
    found = lived.hold(*USE, *CRL, going_on_from=before[-1], previous=said, **crl("2038-02-24"))
    verdict = verify_bundle(found.bundle, fingerprint=found.fingerprint, previous=before[-1].bundle)
    assert verdict.word == "GOOD", [check for check in verdict.checks if not check.passed]
    assert [text.partition(":")[0] for text in verdict.deviations[:1]] == ["override"]
    assert f"up to {newest.fingerprint}, is not known" in next(check.detail for check in verdict.checks if check.name == "lost-ledgers")
    told = history_of([*(held.bundle for held in before), found.bundle], found.fingerprint)
    assert told.word == "GOOD" and told.ceremonies[-1].lost is not None
    assert told.ceremonies[-1].crl == (told.ceremonies[-2].crl or 0) + 1001
    with pytest.raises(CeremonyError) as refused:
        lived.hold(*USE, *CRL, previous=said | {"fingerprint": newest.fingerprint}, **crl("2038-02-24"))
    assert refused.value.code == "PREVIOUS-NOT-LOST"
