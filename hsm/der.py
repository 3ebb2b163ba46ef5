"""The few DER values (X.690) that stand between PKCS#11 and X.509: public keys, ECDSA signatures, digests to be signed."""

from typing import Final


def element(tag: int, *contents: bytes) -> bytes:
    """One DER element: tag, shortest length, contents."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


_EC_PUBLIC_KEY: Final = bytes.fromhex("06072a8648ce3d0201")
_RSA_ENCRYPTION: Final = bytes.fromhex("06092a864886f70d0101010500")


def ec_public_key(curve_der: bytes, point: bytes) -> bytes:
    """SubjectPublicKeyInfo of an EC key (RFC 5480, 2): the curve's OID as DER, the uncompressed point."""
    return element(0x30, element(0x30, _EC_PUBLIC_KEY, curve_der), element(0x03, b"\0", point))


def rsa_public_key(modulus: int, exponent: int) -> bytes:
    """SubjectPublicKeyInfo of an RSA key (RFC 3279, 2.3.1)."""
    key = element(0x30, integer(modulus), integer(exponent))
    return element(0x30, element(0x30, _RSA_ENCRYPTION), element(0x03, b"\0", key))


def ecdsa_signature(raw: bytes) -> bytes:
    """ECDSA-Sig-Value (RFC 3279, 2.2.3) from r and s side by side (PKCS#11 v2.40 mechanisms, 2.3.1)."""
    half = len(raw) // 2
    return element(0x30, integer(int.from_bytes(raw[:half], "big")), integer(int.from_bytes(raw[half:], "big")))


_DIGEST_ALGORITHM: Final = {
    "sha256": bytes.fromhex("300d06096086480165030402010500"),
    "sha384": bytes.fromhex("300d06096086480165030402020500"),
    "sha512": bytes.fromhex("300d06096086480165030402030500"),
}


def digest_info(hash_name: str, digest: bytes) -> bytes:
    """DigestInfo (RFC 8017, 9.2 note 1), which a token signs that has only the raw RSA mechanism."""
    return element(0x30, _DIGEST_ALGORITHM[hash_name], element(0x04, digest))
