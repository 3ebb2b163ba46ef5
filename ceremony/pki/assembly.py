"""From a profile, keys, a serial and a signature made elsewhere to the bytes of a certificate (RFC 5280 section 4.1), CRL or request.

The same input gives the same bytes to sign, always: nothing here reads a clock or a generator of random
numbers. The order of the extensions is part of that: bundles of earlier years are compared byte for byte.
"""

from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.pki.profiles import EXTENDED_KEY_USAGES, CertificateProfile
from ceremony.pki.revocation import REASONS, CrlProfile
from ceremony.pki.signatures import IssuerPublicKey, algorithm_for, hash_of, issuer_key


def assemble(
    profile: CertificateProfile, subject_public_key_der: bytes, issuer_public_key_der: bytes, serial: int, signature: bytes
) -> tuple[bytes, bytes]:
    """The to-be-signed bytes, and the certificate with this signature around them, both DER. Keys are SPKI, DER.

    The signature is not looked at. Raises ValueError for a key that cannot be used or a serial that has no encoding.
    """
    subject_key, signing_key = issuer_key(subject_public_key_der), issuer_key(issuer_public_key_der)
    identifier = x509.SubjectKeyIdentifier.from_public_key(subject_key)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(profile.issuer)
        .subject_name(profile.subject)
        .public_key(subject_key)
        .serial_number(serial)
        .not_valid_before(profile.not_before)
        .not_valid_after(profile.not_after)
        .add_extension(x509.BasicConstraints(ca=profile.path_length is not None, path_length=profile.path_length), critical=True)
        .add_extension(_key_usage(profile.key_usage), critical=True)
    )
    if profile.extended_key_usage:
        usages = x509.ExtendedKeyUsage(EXTENDED_KEY_USAGES[usage] for usage in profile.extended_key_usage)
        builder = builder.add_extension(usages, critical=False)
    issuer_identifier = profile.issuer_key_identifier or x509.SubjectKeyIdentifier.from_public_key(signing_key).digest
    builder = builder.add_extension(identifier, critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier(issuer_identifier, None, None), critical=False)
    stand_in = _stand_in(signing_key, signature)
    certificate = builder.sign(stand_in, hash_of(algorithm_for(issuer_public_key_der)))
    return stand_in.signed, certificate.public_bytes(Encoding.DER)


def assemble_request(subject: x509.Name, public_key_der: bytes, signature: bytes) -> tuple[bytes, bytes]:
    """The to-be-signed bytes of a certificate request (RFC 2986) that asks for no extension, and the request around them, both DER.

    The key is SPKI, DER; the signature is not looked at. Raises ValueError for a key that cannot be used.
    """
    stand_in = _stand_in(issuer_key(public_key_der), signature)
    request = x509.CertificateSigningRequestBuilder(subject).sign(stand_in, hash_of(algorithm_for(public_key_der)))
    return stand_in.signed, request.public_bytes(Encoding.DER)


def assemble_crl(profile: CrlProfile, signature: bytes) -> tuple[bytes, bytes]:
    """The to-be-signed bytes of a CRL (RFC 5280 section 5.1), and the CRL with this signature around them, both DER.

    Entries in the order of the profile; without any the list is left out (section 5.1.2.6). The signature is not looked at.
    Raises ValueError for a key that cannot be used.
    """
    signing_key = issuer_key(profile.issuer_public_key_der)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(profile.issuer)
        .last_update(profile.this_update)
        .next_update(profile.next_update)
        .add_extension(x509.AuthorityKeyIdentifier(profile.issuer_key_identifier, None, None), critical=False)
        .add_extension(x509.CRLNumber(profile.number), critical=False)
    )
    for entry in profile.revoked:
        revoked = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(entry.date)
        builder = builder.add_revoked_certificate(revoked.add_extension(x509.CRLReason(REASONS[entry.reason]), critical=False).build())
    stand_in = _stand_in(signing_key, signature)
    crl = builder.sign(stand_in, hash_of(algorithm_for(profile.issuer_public_key_der)))
    return stand_in.signed, crl.public_bytes(Encoding.DER)


def _key_usage(usages: tuple[str, ...]) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature="digitalSignature" in usages,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign="keyCertSign" in usages,
        crl_sign="cRLSign" in usages,
        encipher_only=False,
        decipher_only=False,
    )


def _refuse(*_parameters: Any) -> NoReturn:
    raise TypeError("the private key is on the token")


_ON_THE_TOKEN: Any = _refuse


def _stand_in(key: IssuerPublicKey, signature: bytes) -> "_StandInEcKey | _StandInRsaKey":
    return _StandInRsaKey(key, signature) if isinstance(key, rsa.RSAPublicKey) else _StandInEcKey(key, signature)


class _StandInEcKey(ec.EllipticCurvePrivateKey):
    """Stands where a private key is wanted: keeps the bytes it is to sign, and answers with a signature made elsewhere."""

    def __init__(self, public_key: ec.EllipticCurvePublicKey, signature: bytes) -> None:
        self._public_key, self._signature, self.signed = public_key, signature, b""

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def sign(self, data: Any, signature_algorithm: Any) -> bytes:
        self.signed = bytes(data)
        return self._signature

    exchange = private_numbers = private_bytes = __copy__ = __deepcopy__ = _ON_THE_TOKEN


class _StandInRsaKey(rsa.RSAPrivateKey):
    """The same for RSA."""

    def __init__(self, public_key: rsa.RSAPublicKey, signature: bytes) -> None:
        self._public_key, self._signature, self.signed = public_key, signature, b""

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public_key

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def sign(self, data: bytes, padding: Any, algorithm: Any) -> bytes:
        self.signed = bytes(data)
        return self._signature

    decrypt = private_numbers = private_bytes = __copy__ = __deepcopy__ = _ON_THE_TOKEN
