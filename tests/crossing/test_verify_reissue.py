"""Re-issue and renewal over several ceremonies of a held root, good and forged; openssl says which chains hold."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ceremony.crossing.verify import Verdict
from tests.crossing.forging import failed, verdict_on
from tests.crossing.held_ceremony import HeldCeremony, new_csr, whole_ceremony
from tests.crossing.held_crl import REVOKE_ALPHA, crl_ceremony
from tests.crossing.held_reissue import csr_of, next_ceremony, serial_of
from tests.e2e.openssl import accepts, csr, field, openssl

ALPHA = "intermediates/alpha.1.cert.pem"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("first"), rehearsal=False, software=False)


def told(verdict: Verdict) -> str:
    assert failed(verdict) == {"intermediates"}
    return next(check.detail for check in verdict.checks if check.name == "intermediates")


def test_reissued_again_and_again_each_chains_to_the_root(first: HeldCeremony, tmp_path: Path) -> None:
    key, before = csr_of(first, "alpha.1"), first
    for number in (2, 3):
        ceremony = next_ceremony(tmp_path / str(number), before, "alpha.1", key, reissue=serial_of(before, "alpha.1"))
        verdict = verdict_on(ceremony, tmp_path / f"v{number}", previous=before.write_bundle(tmp_path / f"before-{number}"))
        assert failed(verdict) == set(), [check for check in verdict.checks if not check.passed]
        new, old = tmp_path / f"v{number}" / "forged" / ALPHA, tmp_path / f"before-{number}" / ALPHA
        assert field(new, "pubkey") == field(old, "pubkey") and field(new, "serial") != field(old, "serial")
        accepts(tmp_path / "before-2" / "root" / "example-root-g1.cert.pem", new)
        before = ceremony


def test_a_device_of_the_old_certificate_chains_to_the_new_one(first: HeldCeremony, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    second = next_ceremony(tmp_path / "second", first, "gamma.1", new_csr("CN=gamma.1,O=Example", key))
    again = csr_of(second, "gamma.1")
    third = next_ceremony(tmp_path / "third", second, "gamma.1", again, reissue=serial_of(second, "gamma.1"))
    old, new = second.write_bundle(tmp_path / "old"), third.write_bundle(tmp_path / "new")
    (tmp_path / "ca.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    device, path, root = tmp_path / "device.pem", "intermediates/gamma.1.cert.pem", old / "root" / "example-root-g1.cert.pem"
    signed_by = ("-CA", old / path, "-CAkey", tmp_path / "ca.key", "-days", "30")
    openssl("x509", "-req", "-in", csr(tmp_path / "device.csr", "/CN=device-1"), *signed_by, "-out", device)
    for issuer in (old / path, new / path):
        assert openssl("verify", "-CAfile", root, "-untrusted", issuer, device).endswith(": OK\n")


def test_a_renewal_has_a_new_key_and_the_next_name(first: HeldCeremony, tmp_path: Path) -> None:
    ceremony = next_ceremony(tmp_path / "held", first, "alpha.2", new_csr("CN=alpha.2,O=Example"))
    verdict = verdict_on(ceremony, tmp_path, previous=first.write_bundle(tmp_path / "before"))
    assert failed(verdict) == set(), [check for check in verdict.checks if not check.passed]
    root, alpha = tmp_path / "before" / "root" / "example-root-g1.cert.pem", tmp_path / "forged" / "intermediates" / "alpha.2.cert.pem"
    accepts(root, alpha)
    assert field(alpha, "pubkey") != field(tmp_path / "before" / ALPHA, "pubkey")


def test_a_key_that_was_certified_before_is_told_unless_the_script_reissues_it(first: HeldCeremony, tmp_path: Path) -> None:
    ceremony = next_ceremony(tmp_path / "held", first, "alpha.2", csr_of(first, "alpha.1"))
    assert told(verdict_on(ceremony, tmp_path)).endswith("certified by an earlier ceremony, and the script does not re-issue it")


@pytest.mark.parametrize(
    ("reissue", "subject", "code"),
    [("alpha.1", "CN=alpha.1,O=Example", "REISSUE-KEY"), ("root", "", "REISSUE-PURPOSE"), ("proof", "", "REISSUE-PURPOSE"),
     ("beta.1", "", "REISSUE-KEY"), ("7" * 40, "", "REISSUE-UNKNOWN")],
)  # fmt: skip
def test_what_is_not_exactly_that_certificates_key_is_told(
    reissue: str, subject: str, code: str, first: HeldCeremony, tmp_path: Path
) -> None:
    request = new_csr(subject) if subject else csr_of(first, "alpha.1")
    serial = reissue if len(reissue) == 40 else serial_of(first, reissue)
    assert code in told(verdict_on(next_ceremony(tmp_path / "held", first, "alpha.1", request, reissue=serial), tmp_path))


def test_a_revoked_certificate_is_not_issued_anew_nor_another_of_its_key(first: HeldCeremony, tmp_path: Path) -> None:
    key = csr_of(first, "alpha.1")
    second = next_ceremony(tmp_path / "second", first, "alpha.1", key, reissue=serial_of(first, "alpha.1"))
    by_serial = REVOKE_ALPHA.replace('name = "alpha.1"', f'serial = "{serial_of(first, "alpha.1")}"')
    third = crl_ceremony(tmp_path / "third", second, by_serial)
    for number, before in enumerate((first, second)):
        ceremony = next_ceremony(tmp_path / str(number), third, "alpha.1", key, reissue=serial_of(before, "alpha.1"))
        verdict = verdict_on(ceremony, tmp_path / f"v{number}")
        assert "REISSUE-REVOKED" in next(check.detail for check in verdict.checks if check.name == "intermediates")
