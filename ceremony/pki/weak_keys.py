"""Public keys that are not taken: of the wrong kind or size, badly encoded, or known to be weak.

Not checked, because it cannot be seen from the key alone or needs a long list: keys of the Debian generator
of 2008, other lists of leaked keys, a factor shared with somebody else's modulus, a prime modulus.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from math import gcd, isqrt, prod

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ceremony.pki.names import shown_text

LARGEST_RSA = 8192
"""Bits of the largest RSA modulus taken: the devices that check our chains are small."""

_FERMAT_ROUNDS = 110
_SMALLEST_FACTOR_NOT_TRIED = 1 << 16

# The primes for which the fingerprint of CVE-2017-15361 tells anything (Nemec and others, The Return of Coppersmith's Attack, 2017).
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)


def key_text(key: PublicKeyTypes) -> str:
    """The kind and size of a public key as the script writes it: `ec:secp384r1`, `rsa:4096`; else the kind's own name."""
    match key:
        case ec.EllipticCurvePublicKey():
            return f"ec:{key.curve.name}"
        case rsa.RSAPublicKey():
            return f"rsa:{key.key_size}"
        case _:
            return type(key).__name__.removesuffix("PublicKey").lower()


def problems_with_key(public_key_der: bytes, allowed: Sequence[str]) -> list[str]:
    """Why this key (SubjectPublicKeyInfo, DER) is not taken, each in words that may be shown; nothing when all is well.

    `allowed` holds names such as `ec:secp384r1` and `rsa:3072`; the smallest RSA size stands for that size and up.
    """
    return [*unsuitable(public_key_der, allowed), *weaknesses(public_key_der)]


def unsuitable(public_key_der: bytes, allowed: Sequence[str]) -> list[str]:
    """Why the kind, the size or the encoding of a key (SPKI, DER) is not taken. A point that is not on its curve is unreadable."""
    try:
        key = load_der_public_key(public_key_der)
    except (ValueError, UnsupportedAlgorithm) as unreadable:
        return [f"the key cannot be read: {shown_text(str(unreadable))}"]
    problems = []
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public_key_der:
        problems.append("the key is not in its usual encoding (RFC 5480 uncompressed named curve, RFC 8017 rsaEncryption)")
    rsa_sizes = [int(name.removeprefix("rsa:")) for name in allowed if name.startswith("rsa:")]
    if isinstance(key, rsa.RSAPublicKey) and rsa_sizes:
        if not min(rsa_sizes) <= key.key_size <= LARGEST_RSA:
            problems.append(f"an RSA key of {key.key_size} bits is not taken; taken are {min(rsa_sizes)} to {LARGEST_RSA}")
    elif key_text(key) not in allowed:
        problems.append(f"a key {key_text(key)} is not taken; taken are {', '.join(allowed)}")
    return problems


def weaknesses(public_key_der: bytes) -> list[str]:
    """Why others may find the private key of this one (SPKI, DER), for RSA. An unreadable key has none that we can name.

    An EC key of a curve we take has none: reading it has shown that the point is on the curve (FIPS 186-5 6.2).
    """
    try:
        key = load_der_public_key(public_key_der)
    except (ValueError, UnsupportedAlgorithm):
        return []
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size > LARGEST_RSA:
        return []
    numbers = key.public_numbers()
    return list(_rsa_weaknesses(numbers.n, numbers.e))


def _rsa_weaknesses(modulus: int, exponent: int) -> Iterator[str]:
    if not 1 << 16 < exponent < 1 << 256:
        yield f"its exponent {hex(exponent)[:40]} is not over 2^16 and under 2^256 (FIPS 186-5 A.1.1)"
    if gcd(modulus, _product_of_small_primes()) != 1:
        yield f"its modulus has a factor under {_SMALLEST_FACTOR_NOT_TRIED}"
    elif _factored_by_fermat(modulus):
        yield f"its two primes are so close that {_FERMAT_ROUNDS} rounds of Fermat's method find them"
    if all(modulus % prime in _powers_of_65537(prime) for prime in _ROCA_PRIMES):
        yield "it bears the mark of the ROCA generator (CVE-2017-15361)"


def _factored_by_fermat(modulus: int) -> bool:
    middle = isqrt(modulus - 1) + 1
    squares = (number * number - modulus for number in range(middle, middle + _FERMAT_ROUNDS))
    return any(isqrt(square) ** 2 == square for square in squares)


@cache
def _product_of_small_primes() -> int:
    sieve = bytearray([1]) * _SMALLEST_FACTOR_NOT_TRIED
    sieve[:2] = b"\0\0"
    for number in range(2, isqrt(_SMALLEST_FACTOR_NOT_TRIED) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
    return prod(number for number, is_prime in enumerate(sieve) if is_prime)


@cache
def _powers_of_65537(prime: int) -> frozenset[int]:
    return frozenset(pow(65537, power, prime) for power in range(prime))
