"""Each way in which a certificate can differ from its profile is seen."""

import datetime as dt
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from ceremony.errors import CeremonyError
from ceremony.pki.certificates import decoded, pem_of, problems_with_certificate
from ceremony.pki.signatures import signature_holds
from tests.pki import material

_ROOT_KEY = material.private_key("ec:secp384r1")
_SUBJECT_KEY = material.private_key("ec:secp256r1", 1)
_PROFILE = material.alpha(material.root())
_GOOD = x509.load_der_x509_certificate(material.issue(_PROFILE, _SUBJECT_KEY, _ROOT_KEY))
_CONSTRAINTS, _USAGE, _EXTENDED, _SUBJECT_ID, _AUTHORITY_ID = ((extension.value, extension.critical) for extension in _GOOD.extensions)
_ALL = (_CONSTRAINTS, _USAGE, _EXTENDED, _SUBJECT_ID, _AUTHORITY_ID)


def _certificate(extensions=_ALL, hashed=None, key=_SUBJECT_KEY, issuer_key=_ROOT_KEY, rsa_padding=None, **change) -> bytes:
    fields = {
        "issuer_name": _GOOD.issuer,
        "subject_name": _GOOD.subject,
        "public_key": key.public_key(),
        "serial_number": _GOOD.serial_number,
        "not_valid_before": _GOOD.not_valid_before_utc.replace(tzinfo=None),
        "not_valid_after": _GOOD.not_valid_after_utc.replace(tzinfo=None),
    } | change
    builder = x509.CertificateBuilder(**fields)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(issuer_key, hashed or hashes.SHA384(), rsa_padding=rsa_padding).public_bytes(Encoding.DER)


def _with(old, *new):
    return tuple(item for each in _ALL for item in (new if each is old else (each,)))


def _key_usage(**change: bool) -> x509.KeyUsage:
    usages = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    ) | {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}
    return x509.KeyUsage(**(usages | change))


def _printable(name: x509.Name) -> x509.Name:
    return x509.Name([x509.NameAttribute(each.oid, each.value, x509.name._ASN1Type.PrintableString) for each in name])


def test_the_good_one_has_no_problems_and_is_remade_by_hand():
    assert problems_with_certificate(_GOOD.public_bytes(Encoding.DER), _PROFILE) == []
    assert problems_with_certificate(_certificate(), _PROFILE) == []


_CHANGES = {
    "serial-short": ({"serial_number": 0x4A3F}, "serial"),
    "serial-19-octets": ({"serial_number": 1 << 151}, "serial"),
    "issuer": ({"issuer_name": x509.Name.from_rfc4514_string("CN=Other")}, "issuer is"),
    "issuer-other-string-type": ({"issuer_name": _printable(_GOOD.issuer)}, "its bytes are not"),
    "subject": ({"subject_name": x509.Name.from_rfc4514_string("CN=beta.1,O=Example")}, "subject is"),
    "subject-other-string-type": ({"subject_name": _printable(_GOOD.subject)}, "its bytes are not"),
    "begins-later": ({"not_valid_before": dt.datetime(2026, 11, 24, 0, 0, 1)}, "not before is"),
    "ends-later": ({"not_valid_after": dt.datetime(2031, 11, 19, 0, 0, 1)}, "not after is"),
    "hash": ({"hashed": hashes.SHA256()}, "signature algorithm is 'ecdsa-sha256'"),
    "rsa-issuer": ({"issuer_key": material.private_key("rsa:3072")}, "signature algorithm is 'rsa-pkcs1-sha384'"),
    "pss-issuer": (
        {
            "issuer_key": material.private_key("rsa:3072"),
            "rsa_padding": padding.PSS(padding.MGF1(hashes.SHA384()), padding.PSS.DIGEST_LENGTH),
        },
        "signature algorithm is '1.2.840.113549.1.1.10'",
    ),
    "key-kind": ({"key": ec.generate_private_key(ec.SECP256K1())}, "ec:secp256k1 is not taken"),
    "another-key": ({"key": material.private_key("ec:secp256r1", 2)}, "subjectKeyIdentifier is"),
    "no-extensions": ({"extensions": ()}, "basicConstraints (critical) is 'not there'"),
    "no-basic-constraints": ({"extensions": _with(_CONSTRAINTS)}, "basicConstraints (critical) is 'not there'"),
    "basic-constraints-not-critical": ({"extensions": _with(_CONSTRAINTS, (_CONSTRAINTS[0], False))}, "basicConstraints is"),
    "no-ca": ({"extensions": _with(_CONSTRAINTS, (x509.BasicConstraints(False, None), True))}, "'not a CA'"),
    "path-longer": ({"extensions": _with(_CONSTRAINTS, (x509.BasicConstraints(True, 1), True))}, "'CA, path length 1'"),
    "path-unbounded": ({"extensions": _with(_CONSTRAINTS, (x509.BasicConstraints(True, None), True))}, "'CA, any path length'"),
    "no-key-usage": ({"extensions": _with(_USAGE)}, "keyUsage (critical) is 'not there'"),
    "key-usage-not-critical": ({"extensions": _with(_USAGE, (_USAGE[0], False))}, "keyUsage is"),
    **{
        f"key-usage-{bit}": ({"extensions": _with(_USAGE, (_key_usage(**{bit: True}), True))}, "keyUsage (critical) is")
        for bit in ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    },
    **{
        f"key-usage-no-{bit}": ({"extensions": _with(_USAGE, (_key_usage(**{bit: False}), True))}, "keyUsage (critical) is")
        for bit in ("digital_signature", "key_cert_sign", "crl_sign")
    },
    "no-extended-key-usage": ({"extensions": _with(_EXTENDED)}, "extendedKeyUsage is 'not there'"),
    "extended-key-usage-critical": ({"extensions": _with(_EXTENDED, (_EXTENDED[0], True))}, "extendedKeyUsage (critical) is"),
    "extended-key-usage-more": (
        {
            "extensions": _with(
                _EXTENDED, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), False)
            )
        },
        "'clientAuth, serverAuth'",
    ),
    "no-subject-key-identifier": ({"extensions": _with(_SUBJECT_ID)}, "subjectKeyIdentifier is 'not there'"),
    "subject-key-identifier": (
        {"extensions": _with(_SUBJECT_ID, (x509.SubjectKeyIdentifier(b"x" * 20), False))},
        "subjectKeyIdentifier is",
    ),
    "no-authority-key-identifier": ({"extensions": _with(_AUTHORITY_ID)}, "authorityKeyIdentifier is 'not there'"),
    "authority-key-identifier": (
        {"extensions": _with(_AUTHORITY_ID, (x509.AuthorityKeyIdentifier(b"x" * 20, None, None), False))},
        "authorityKeyIdentifier is",
    ),
    "authority-with-issuer": (
        {
            "extensions": _with(
                _AUTHORITY_ID,
                (x509.AuthorityKeyIdentifier(_PROFILE.issuer_key_identifier, [x509.DirectoryName(_GOOD.issuer)], 5), False),
            )
        },
        "authorityKeyIdentifier is",
    ),
    "one-more": ({"extensions": (*_ALL, (x509.SubjectAlternativeName([x509.DNSName("a.example")]), False))}, "subjectAltName is 'DNSName"),
    "one-more-unknown": (
        {"extensions": (*_ALL, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), False))},
        "extension 1.2.3.4 is '0500 (2 octets)'",
    ),
    "another-order": ({"extensions": _ALL[::-1]}, "its bytes are not"),
}


@pytest.mark.parametrize(("change", "problem"), _CHANGES.values(), ids=_CHANGES.keys())
def test_a_difference_is_seen_and_named(change, problem):
    problems = problems_with_certificate(_certificate(**change), _PROFILE)
    assert any(problem in each for each in problems), problems
    assert all(each.isascii() for each in problems)


def test_a_certificate_is_held_against_its_own_profile():
    good = _GOOD.public_bytes(Encoding.DER)
    assert problems_with_certificate(good, material.proof(material.root())) != []
    assert problems_with_certificate(good, replace(_PROFILE, issuer_key_identifier=b"x" * 20)) != []
    assert problems_with_certificate(material.root(), _PROFILE) != []


@given(st.integers(0, len(_GOOD.public_bytes(Encoding.DER)) - 1), st.integers(0, 7))
def test_any_bit_changed_is_seen_in_the_bytes_or_in_the_signature(place, bit):
    octets = bytearray(_GOOD.public_bytes(Encoding.DER))
    octets[place] ^= 1 << bit
    if problems_with_certificate(bytes(octets), _PROFILE):
        return
    changed = x509.load_der_x509_certificate(bytes(octets))
    assert not signature_holds(material.spki(_ROOT_KEY), changed.tbs_certificate_bytes, changed.signature)


@pytest.mark.parametrize("octets", [b"", b"\x30\x00", b"no certificate", _GOOD.public_bytes(Encoding.DER) + b"\0"])
def test_what_is_no_certificate_is_refused_in_our_words(octets):
    assert problems_with_certificate(octets, _PROFILE)[0].startswith("The certificate cannot be read")
    for read in (decoded, pem_of):
        with pytest.raises(CeremonyError) as refused:
            read(octets)
        assert refused.value.code == "CERTIFICATE-BROKEN"
        assert refused.value.what.isascii()


def test_names_that_are_not_plain_are_decoded_escaped():
    hostile = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a\x1b[2J\u202eb")])
    lines = decoded(_certificate(subject_name=hostile))
    assert r"subject: CN=a\u{1B}[2J\u{202E}b" in lines
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_pem_is_what_openssl_writes(tmp_path):
    (tmp_path / "a.der").write_bytes(_GOOD.public_bytes(Encoding.DER))
    assert material.openssl("x509", "-inform", "DER", "-in", tmp_path / "a.der") == pem_of(_GOOD.public_bytes(Encoding.DER))
