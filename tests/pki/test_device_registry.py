"""What Azure Device Registry demands: told of a certificate and of a plan, each demand for itself; the simulator is the other judge."""

import datetime as dt
from dataclasses import replace

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.pki.device_registry import (
    DEMANDS,
    PolicyPlace,
    problems_with_issuing_ca,
    problems_with_planned_issuing_ca,
    problems_with_planned_root,
    problems_with_root,
    refusal,
)
from ceremony.pki.names import parse_name
from ceremony.pki.profiles import intermediate_profile, root_profile
from tests.pki.material import DAY, FACTORY, KEYS, ROOT_TABLE, root, root_of
from tests.simulator.registry_chains import BROKEN, NOW, chain_for, named

NOON = dt.datetime.combine(DAY, dt.time(12), dt.UTC)
CSR = (
    x509.CertificateSigningRequestBuilder()
    .subject_name(named("07b5d73a70e046f288ddc64518bc517e"))
    .sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
)


def problems_of(wrong: str) -> tuple[list[str], list[str]]:
    """Of the issuing CA and of the root, a minute after they were made."""
    issuing_ca, above = (found.public_bytes(Encoding.DER) for found in chain_for(CSR, *BROKEN[wrong]))
    now = NOW + dt.timedelta(minutes=1)
    return problems_with_issuing_ca(issuing_ca, CSR.subject, now), problems_with_root(above, now)


@pytest.mark.parametrize("wrong", BROKEN)
def test_what_the_other_side_refuses_is_told_before(wrong: str) -> None:
    of_ca, of_root = problems_of(wrong)
    assert (of_root if "root" in wrong else of_ca) != []
    if wrong != "RSA root":
        assert (of_ca if "root" in wrong else of_root) == []


def test_the_words_say_what_is_wrong() -> None:
    of_ca, of_root = problems_of("RSA root")
    assert of_root == [
        "its key is rsa:3072; taken are ec:secp256r1, ec:secp384r1, ec:secp521r1",
        "it is signed by rsa-pkcs1-sha384; taken are ecdsa-sha256, ecdsa-sha384, ecdsa-sha512",
    ]
    assert of_ca == of_root[1:]
    assert problems_of("root of path length 2")[1] == ["it is a CA, path length 2; the path length must be 1"]
    assert "364 days after" in problems_of("364 days left")[0][0]
    assert problems_of("usage lacks cRLSign")[0] == ["its keyUsage lacks cRLSign"]
    said = refusal("this root", of_root)
    assert all(demand in said for demand in (*DEMANDS, *of_root))


@pytest.mark.parametrize("key", KEYS)
def test_a_root_of_ours_is_taken_when_it_is_ec(key: str) -> None:
    planned = problems_with_planned_root(root_profile(root_of(key), DAY, False), NOON)
    assert planned == problems_with_root(root(key), NOON)
    assert bool(planned) == key.startswith("rsa:")


def test_a_plan_is_held_against_each_demand_that_a_script_can_break() -> None:
    above = root_profile(ROOT_TABLE, DAY, False)
    table = msgspec.structs.replace(FACTORY, keys=("ec:secp384r1",))
    good = intermediate_profile(table, parse_name("CN=any"), above, DAY)
    assert problems_with_planned_issuing_ca(good, NOON) == []
    assert problems_with_planned_root(replace(above, path_length=2), NOON) == ["it is a CA, path length 2; the path length must be 1"]
    assert problems_with_planned_issuing_ca(replace(good, not_after=NOON + dt.timedelta(days=365)), NOON) == []
    ends_soon = replace(good, not_after=NOON + dt.timedelta(days=364, hours=23))
    for changed, told in (
        (replace(good, extended_key_usage=("serverAuth",)), "lacks clientAuth"),
        (replace(good, keys=("ec:secp384r1", "rsa:3072")), "its profile takes rsa:3072"),
        (ends_soon, "364 days after"),
        (replace(good, not_before=NOON + dt.timedelta(days=1)), "not valid before"),
    ):
        (problem,) = problems_with_planned_issuing_ca(changed, NOON)
        assert told in problem
    assert problems_with_planned_issuing_ca(replace(good, extended_key_usage=()), NOON) == []


def test_places_are_those_that_azure_takes() -> None:
    for place in ("example-registry/example-policy", "abc/ABC", f"{'a' * 64}/{'b' * 63}"):
        assert msgspec.convert(place, PolicyPlace) == place
    too_long = (f"{'a' * 65}/abc", f"abc/{'b' * 64}")
    for place in ("ab/abc", "abc/ab", "-abc/abc", "ABC/abc", "abc", "abc/abc/abc", "abc/abc\n", "a c/abc", *too_long):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(place, PolicyPlace)
