import random
from math import gcd, prod

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.pki.weak_keys import _product_of_small_primes, problems_with_key, unsuitable, weaknesses
from tests.pki import material

_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)


def _rsa(modulus: int, exponent: int = 65537) -> bytes:
    return rsa.RSAPublicNumbers(exponent, modulus).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _numbers() -> rsa.RSAPrivateNumbers:
    key = material.private_key("rsa:3072")
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.private_numbers()


@pytest.mark.parametrize("name", material.KEYS)
def test_the_keys_we_take_have_no_problems(name):
    assert problems_with_key(material.spki(material.private_key(name)), [name]) == []


@pytest.mark.parametrize("name", material.KEYS)
def test_a_key_is_taken_only_where_its_kind_is_allowed(name):
    others = [other for other in material.KEYS if other != name and other != "rsa:3072"]
    assert unsuitable(material.spki(material.private_key(name)), others) != []


def test_an_rsa_size_stands_for_that_size_and_up():
    assert unsuitable(material.spki(material.private_key("rsa:4096")), ["rsa:3072"]) == []
    assert unsuitable(material.spki(material.private_key("rsa:3072")), ["rsa:4096"]) == [
        "an RSA key of 3072 bits is not taken; taken are 4096 to 8192"
    ]


@pytest.mark.parametrize("bits", [1024, 2048, 3071, 8200])
def test_rsa_of_another_size_is_not_taken(bits):
    modulus = (1 << bits - 1) + random.Random(bits).getrandbits(bits - 2) | 1
    assert f"an RSA key of {bits} bits is not taken; taken are 3072 to 8192" in problems_with_key(_rsa(modulus), ["rsa:3072"])


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.BrainpoolP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        dsa.generate_private_key(1024),
    ],
    ids=["secp256k1", "secp224r1", "brainpool", "ed25519", "dsa"],
)
def test_other_kinds_are_not_taken(key):
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    (problem,) = problems_with_key(der, material.KEYS)
    assert "is not taken; taken are" in problem


def test_a_point_that_is_not_on_its_curve_is_unreadable():
    der = bytearray(material.spki(material.private_key("ec:secp384r1")))
    der[-1] ^= 1
    (problem,) = problems_with_key(bytes(der), material.KEYS)
    assert problem.startswith("the key cannot be read")


def test_the_point_at_infinity_is_unreadable():
    der = material.spki(material.private_key("ec:secp256r1"))
    infinity = bytes.fromhex("3019301306072a8648ce3d020106082a8648ce3d030107030200") + b"\0"
    assert infinity[2:23] == der[2:23]
    assert problems_with_key(infinity, material.KEYS)[0].startswith("the key cannot be read")


def test_a_compressed_point_is_not_the_usual_encoding():
    public = material.private_key("ec:secp256r1").public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    point = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    der = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    assert any("usual encoding" in problem or "cannot be read" in problem for problem in problems_with_key(der, material.KEYS))


def test_explicit_curve_parameters_are_not_taken(tmp_path):
    key = tmp_path / "key.pem"
    material.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-param_enc", "explicit", "-out", key)
    material.openssl("pkey", "-in", key, "-pubout", "-outform", "DER", "-out", tmp_path / "public.der")
    assert problems_with_key((tmp_path / "public.der").read_bytes(), material.KEYS) != []


def test_a_key_restricted_to_pss_is_not_taken(tmp_path):
    key = tmp_path / "key.pem"
    material.openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:3072", "-out", key)
    material.openssl("pkey", "-in", key, "-pubout", "-outform", "DER", "-out", tmp_path / "public.der")
    (problem,) = problems_with_key((tmp_path / "public.der").read_bytes(), material.KEYS)
    assert "usual encoding" in problem


def test_what_is_no_key_is_unreadable():
    assert problems_with_key(b"", material.KEYS)[0].startswith("the key cannot be read")
    assert weaknesses(b"") == []


@pytest.mark.parametrize("exponent", [3, 17, 65535, (1 << 256) + 1])
def test_an_exponent_out_of_bounds_is_weak(exponent):
    (problem,) = weaknesses(_rsa(_numbers().public_numbers.n, exponent))
    assert "exponent" in problem


def test_an_even_exponent_is_unreadable():
    der = material.spki(material.private_key("rsa:3072")).replace(b"\x02\x03\x01\x00\x01", b"\x02\x03\x01\x00\x02")
    assert problems_with_key(der, material.KEYS)[0].startswith("the key cannot be read")


@pytest.mark.parametrize("factor", [3, 751, 65521])
def test_a_small_factor_is_found(factor):
    assert weaknesses(_rsa(factor * _numbers().public_numbers.n)) == ["its modulus has a factor under 65536"]


def test_a_factor_that_is_not_small_is_not_found():
    assert weaknesses(_rsa(65537 * _numbers().public_numbers.n)) == []


# Fermat's method asks only that two factors are close, not that they are primes.
@pytest.mark.parametrize("apart", [0, 2, 1 << 100, 1 << 770])
def test_close_factors_are_found_by_fermats_method(apart):
    prime = _numbers().p
    other = next(number for number in range(prime + apart, prime + apart + 10000, 2) if gcd(number, _product_of_small_primes()) == 1)
    found = weaknesses(_rsa(prime * other))
    assert found == ["its two primes are so close that 110 rounds of Fermat's method find them"]


def test_factors_far_apart_are_not_found():
    prime = _numbers().p
    other = next(number for number in range(prime + (1 << 1400), prime + (1 << 1401), 2) if gcd(number, _product_of_small_primes()) == 1)
    assert weaknesses(_rsa(prime * other)) == []


def test_the_mark_of_roca_is_found():
    # A prime of that generator is k * M + (65537^a mod M), M a product of small primes; the mark does not need it to be a prime.
    product, numbers = prod(_ROCA_PRIMES) * 2, random.Random(4)
    one, other = (numbers.getrandbits(1400) * product + pow(65537, power, product) for power in (271, 828))
    assert "it bears the mark of the ROCA generator (CVE-2017-15361)" in weaknesses(_rsa(one * other | 1))
    assert not any("ROCA" in problem for problem in weaknesses(_rsa(one * other + 2)))
