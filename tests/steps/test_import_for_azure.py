"""The CSR of Azure's issuing CA as it comes in: Azure's demands are looked at again, now on the root that is really there."""

import datetime as dt
from pathlib import Path
from typing import Any

from ceremony.crossing.request import read_request, write_request
from ceremony.engine.step import Ask, Known
from ceremony.script import read_script
from ceremony.steps.import_request import sorted_in, vouched_for
from ceremony.words import sha256_hex
from tests.crossing.held_ceremony import new_csr
from tests.pki.material import DAY, private_key, root, spki

SCRIPT = Path(__file__).parents[2] / "ceremony-scripts" / "sign-azure-issuing-ca.toml"
NAME = "azure-issuing-ca.1"


def known(root_key: str = "ec:secp384r1") -> Known:
    products = {
        "root_certificate": root(root_key).hex(),
        "root_certificate_sha256": sha256_hex(root(root_key)),
        "root_public_key": spki(private_key(root_key)).hex(),
        "ceremony_day": DAY.isoformat(),
    }
    return Known(script=read_script(SCRIPT.read_bytes()), products=products, opened={"rehearsal": False}, step=7)


def request_with(folder: Path, csr: bytes) -> dict[str, Any]:
    write_request(folder, made_at=f"{DAY}T08:00:00Z", root_fingerprint=None, proofs=(), csrs={NAME: csr})
    return read_request(folder).as_value("requests/1")


def problems_of(request: dict[str, Any], at: str = f"{DAY}T09:00:00Z", root_key: str = "ec:secp384r1") -> list[str]:
    _, _, problems = sorted_in(known(root_key), request, at, {}, {})
    return problems


def test_a_csr_of_azure_comes_in_and_is_vouched_for_from_paper_like_any_other(tmp_path: Path) -> None:
    request = request_with(tmp_path / "r", new_csr("CN=07b5d73a70e046f288ddc64518bc517e", private_key("ec:secp384r1", 1)))
    assert problems_of(request) == []
    csrs, _, _ = sorted_in(known(), request, f"{DAY}T09:00:00Z", {}, {})
    asked = next(vouched_for(known(), "vouch/1", csrs, ("admin", "witness-1")))
    assert isinstance(asked, Ask) and asked.blind and f"the paper form of Azure's CA '{NAME}'" in asked.shown[0]


def test_a_root_that_azure_does_not_take(tmp_path: Path) -> None:
    """The script may say what it likes: the root of the last bundle is what counts."""
    request = request_with(tmp_path / "r", new_csr("CN=07b5", private_key("ec:secp384r1", 1)))
    assert problems_of(request, root_key="rsa:3072") == [
        f"REGISTRY-DEMANDS: {NAME}: the root: its key is rsa:3072; taken are ec:secp256r1, ec:secp384r1, ec:secp521r1",
        f"REGISTRY-DEMANDS: {NAME}: the root: it is signed by rsa-pkcs1-sha384; taken are ecdsa-sha256, ecdsa-sha384, ecdsa-sha512",
    ]


def test_a_certificate_that_would_have_too_few_days_left(tmp_path: Path) -> None:
    request = request_with(tmp_path / "r", new_csr("CN=07b5", private_key("ec:secp384r1", 1)))
    late = dt.datetime(2030, 11, 20, tzinfo=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    (problem,) = problems_of(request, at=late)
    assert problem.startswith(f"REGISTRY-DEMANDS: {NAME}: its certificate: it ends at 2031-11-19") and "364 days" in problem


def test_an_rsa_csr_is_refused_by_the_profile_before(tmp_path: Path) -> None:
    (problem,) = problems_of(request_with(tmp_path / "r", new_csr("CN=07b5", private_key("rsa:3072"))))
    assert problem.startswith("CSR-KEY-REFUSED")
