"""Re-issue and renewal in the steps: which CSR is taken, what is refused before anything comes in, and what the order shows."""

from pathlib import Path
from typing import Any

import pytest

from ceremony.crossing.request import read_request, write_request
from ceremony.engine.step import Act, Acts, Ask
from ceremony.errors import CeremonyError
from ceremony.shipped import path_of
from ceremony.steps.import_request import ImportRequest, sorted_in
from ceremony.steps.sign_intermediates import SignIntermediates
from tests.crossing.chaining import DAY
from tests.crossing.held_ceremony import HeldCeremony, later_ceremony, new_csr, whole_ceremony
from tests.crossing.held_crl import REVOKE_ALPHA, crl_ceremony
from tests.crossing.held_reissue import csr_of, serial_of
from tests.steps.test_issue_crl import known, taken_over, used

REISSUE = path_of("reissue-intermediate").read_text()
RENEWAL = path_of("sign-intermediates").read_text().replace("gamma.1", "alpha.2").replace('name = "delta.1"', 'name = "beta.2"')
ALPHA = "CN=alpha.1,O=Example"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("first"))


def of(serial: str) -> str:
    return REISSUE.replace("0" * 40, serial)


def products_of(last: HeldCeremony, folder: Path, script: str) -> dict[str, Any]:
    return used(script, taken_over(last, folder, intermediates=True))[1]


def problems(script: str, products: dict[str, Any], folder: Path, **csrs: bytes) -> list[str]:
    """The codes of what is wrong with a request that brings these CSRs."""
    named = {name.replace("_", "."): csr for name, csr in csrs.items()}
    write_request(folder, made_at=f"{DAY}T08:00:00Z", root_fingerprint=None, proofs=(), csrs=named)
    request = read_request(folder).as_value("requests/1")
    found = sorted_in(known(script, products, rehearsal=False), request, f"{DAY}T09:00:00Z", {}, {})[2]
    return [problem.partition(":")[0] for problem in found]


def test_only_the_key_and_subject_of_that_certificate_are_taken(first: HeldCeremony, tmp_path: Path) -> None:
    script, beta = of(serial_of(first, "alpha.1")), of(serial_of(first, "beta.1"))
    products, alpha = products_of(first, tmp_path, script), csr_of(first, "alpha.1")
    assert problems(script, products, tmp_path / "1", alpha_1=alpha) == []
    assert problems(script, products, tmp_path / "2", alpha_1=new_csr(ALPHA)) == ["REISSUE-KEY"]
    both = ["CSR-ALREADY-CERTIFIED", "REISSUE-KEY", "REISSUE-SUBJECT"]
    assert problems(script, products, tmp_path / "3", alpha_1=csr_of(first, "beta.1")) == both
    assert problems(beta, products, tmp_path / "4", alpha_1=alpha) == both


def test_a_renewal_takes_a_new_key_and_no_other(first: HeldCeremony, tmp_path: Path) -> None:
    products = products_of(first, tmp_path, RENEWAL)
    new, old = new_csr("CN=alpha.2,O=Example"), csr_of(first, "alpha.1")
    assert problems(RENEWAL, products, tmp_path / "1", alpha_2=new, beta_2=new_csr("CN=beta.2,O=Example")) == []
    assert problems(RENEWAL, products, tmp_path / "2", alpha_2=old) == ["CSR-ALREADY-CERTIFIED"]
    assert problems(RENEWAL, products, tmp_path / "3", alpha_2=new, beta_2=new) == ["CSR-ALREADY-CERTIFIED"]


def test_what_can_not_be_reissued_is_refused_before_anything_comes_in(first: HeldCeremony, tmp_path: Path) -> None:
    revoked = crl_ceremony(tmp_path / "revoked", first, REVOKE_ALPHA)
    products = products_of(revoked, tmp_path, REISSUE)
    serials = {"7" * 40: "REISSUE-UNKNOWN", serial_of(first, "alpha.1"): "REISSUE-REVOKED"}
    serials |= {serial_of(first, purpose): "REISSUE-PURPOSE" for purpose in ("root", "proof")}
    step = ImportRequest(title="In", actor="officer", confirm=("witness-1",))
    for serial, code in serials.items():
        with pytest.raises(CeremonyError) as refused:
            next(step.run(known(of(serial), products, rehearsal=False)))
        assert refused.value.code == code and serial in refused.value.what
    beta = of(serial_of(first, "beta.1"))
    assert isinstance(next(step.run(known(beta, products, rehearsal=False))), Ask)
    another = products | {"root_certificate_sha256": "0" * 64}
    with pytest.raises(CeremonyError, match="none such under this root"):
        next(step.run(known(beta, another, rehearsal=False)))
    tables = f"[crl]\nnext_update = 2027-12-31T00:00:00Z\n{REVOKE_ALPHA.replace('alpha', 'beta')}\n[activation]"
    by_name = beta.replace("[activation]", tables, 1)
    unlock = '[[steps]]\nkind = "unlock"\ntitle = "Unlock"\nactor = "officer"\n\n'
    issue = unlock + '[[steps]]\nkind = "issue-crl"\ntitle = "CRL"\nactor = "officer"\nconfirm = ["witness-1"]\n\n'
    place = by_name.index("[[steps]]", by_name.index('kind = "sign-intermediates"'))
    with pytest.raises(CeremonyError, match="which this script revokes"):
        next(step.run(known(by_name[:place] + issue + by_name[place:], products, rehearsal=False)))


def order(script: str, products: dict[str, Any]) -> str:
    """What the order to sign shows."""
    run = SignIntermediates(title="Sign", actor="officer", confirm=("witness-1",)).run(known(script, products, rehearsal=False))
    request = next(run)
    while not (isinstance(request, Ask) and request.order):
        value = {"serial-number": {"serial": "5" * 40}, "check-machine": {"findings": []}}
        if isinstance(request, Acts):
            request = run.send([value.get(act.verb, {}) for act in request.acts])
        else:
            request = run.send(value.get(request.verb, {}) if isinstance(request, Act) else None)
    return "\n".join(request.shown)


def test_the_order_shows_the_difference_to_that_very_certificate(first: HeldCeremony, tmp_path: Path) -> None:
    """Also where the last bundle no longer holds it: the ledger tells of it, and another intermediate was the last of its kind."""
    serial = serial_of(first, "alpha.1")
    script, csr = of(serial).replace("2031-11-19", "2033-11-19"), csr_of(first, "alpha.1")
    later = later_ceremony(tmp_path / "later", first)
    for number, (last, told) in enumerate([(first, ":"), (later, " (by the ledger):")]):
        products = products_of(last, tmp_path / str(number), script) | {"root_key_id": "aa", "csrs": {"alpha.1": {"pem": csr.decode()}}}
        shown = order(script, products)
        against = shown.partition("Against the certificate that it re-issues, ")[2].partition("  SHA-256 of")[0].splitlines()
        assert against[0].replace(" ", "") == f"{serial}{told}".replace(" ", "")
        assert [line.partition(":")[0].strip() for line in against[1:]] == ["serial", "not after"]
        assert "(the last one: 2031-11-19T00:00:00Z" in against[2]
