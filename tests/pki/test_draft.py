import datetime as dt
import hashlib
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pkilint import loader
from pkilint.pkix import certificate as pkix
from pkilint.pkix import extension, name

from ceremony.errors import CeremonyError
from ceremony.pki.draft import Draft, decoded, draft_certificate, problems_with_certificate, serial_number, serial_text
from ceremony.pki.names import name_text
from ceremony.pki.profiles import CertificateProfile, root_profile
from tests.pki import material

_ALGORITHMS = {
    "ec:secp256r1": "ecdsa-sha256",
    "ec:secp384r1": "ecdsa-sha384",
    "ec:secp521r1": "ecdsa-sha512",
    "rsa:3072": "rsa-pkcs1-sha384",
    "rsa:4096": "rsa-pkcs1-sha384",
}


def _profile(purpose: str, root_key: str) -> CertificateProfile:
    if purpose == "root":
        return root_profile(material.root_of(root_key), material.DAY, False)
    return {"intermediate": material.alpha, "proof": material.proof}[purpose](material.root(root_key))


def _draft(purpose: str, root_key: str = "ec:secp384r1", subject_key: str = "ec:secp256r1") -> tuple[Draft, material.PrivateKey]:
    issuer = material.private_key(root_key)
    subject = issuer if purpose == "root" else material.private_key(subject_key, 1)
    return draft_certificate(_profile(purpose, root_key), material.spki(subject), material.spki(issuer), material.SERIAL), issuer


def _lint(certificate_der: bytes) -> list[str]:
    """What pkilint, as a judge of RFC 5280, finds that is worse than a note."""
    validator = pkix.create_pkix_certificate_validator_container(
        pkix.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            pkix.create_issuer_validator_container([]),
            pkix.create_validity_validator_container(),
            pkix.create_subject_validator_container([]),
            pkix.create_extensions_validator_container([]),
            pkix.create_spki_validator_container([]),
        ],
    )
    document = loader.load_certificate(certificate_der, "certificate")
    return [
        f"{found.finding.severity.name} {found.finding.code}"
        for result in validator.validate(document.root)
        for found in result.finding_descriptions
        if found.finding.severity.name not in ("INFO", "DEBUG")
    ]


_CASES = [("root", root_key, root_key) for root_key in material.KEYS] + [
    (purpose, root_key, subject_key)
    for purpose in ("intermediate", "proof")
    for root_key in material.KEYS
    for subject_key in material.KEYS
    if purpose == "intermediate" or subject_key.startswith("ec:")
]


@pytest.mark.parametrize(("purpose", "root_key", "subject_key"), _CASES)
def test_openssl_and_pkilint_find_nothing(purpose, root_key, subject_key, tmp_path):
    draft, issuer = _draft(purpose, root_key, subject_key)
    assert draft.algorithm == _ALGORITHMS[root_key]
    certificate = draft.signed_with(material.signature_of(issuer, draft))
    assert problems_with_certificate(certificate, draft.profile) == []
    assert _lint(certificate) == []
    (tmp_path / "root.pem").write_bytes(material.pem(certificate if purpose == "root" else material.root(root_key)))
    (tmp_path / "certificate.pem").write_bytes(material.pem(certificate))
    at = str(int(dt.datetime(2026, 11, 25, tzinfo=dt.UTC).timestamp()))
    said = material.openssl(
        "verify", "-x509_strict", "-check_ss_sig", "-attime", at, "-CAfile", tmp_path / "root.pem", tmp_path / "certificate.pem"
    )
    assert said.endswith(": OK\n")


def test_the_linter_would_find_something():
    key = material.private_key("ec:secp384r1")
    profile = _profile("root", "ec:secp384r1")
    builder = x509.CertificateBuilder(profile.issuer, profile.subject, key.public_key(), 5, profile.not_before, profile.not_after)
    certificate = builder.add_extension(x509.BasicConstraints(True, 1), False).sign(key, hashes.SHA384())
    assert _lint(certificate.public_bytes(Encoding.DER)) != []


@pytest.mark.parametrize("purpose", ["root", "intermediate", "proof"])
def test_the_same_input_gives_the_same_bytes(purpose):
    draft, _ = _draft(purpose)
    again, _ = _draft(purpose)
    assert again == draft
    assert draft.sha256 == hashlib.sha256(draft.to_be_signed).hexdigest()


def test_the_bytes_are_those_of_the_first_release():
    """A bundle of earlier years is compared byte for byte: how a certificate is put together may not drift."""
    spki = bytes.fromhex(
        "3076301006072a8648ce3d020106052b8104002203620004aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c"
        "3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"
    )
    draft = draft_certificate(_profile("root", "ec:secp384r1"), spki, spki, material.SERIAL)
    assert draft.sha256 == "61c1f24944f91a86796141c730af4c9020e324e6bcadad135ec0e7c0363f4bc5"


@pytest.mark.parametrize("purpose", ["root", "intermediate", "proof"])
def test_the_certificate_holds_the_bytes_that_were_shown(purpose):
    draft, issuer = _draft(purpose)
    certificate = draft.signed_with(material.signature_of(issuer, draft))
    assert x509.load_der_x509_certificate(certificate).tbs_certificate_bytes == draft.to_be_signed
    assert draft.shown() == (*decoded(certificate), "difference to the profile: none")


def test_what_is_shown_is_all_of_it():
    draft, _ = _draft("intermediate")
    fields = draft.fields()
    assert fields.pop("public key SHA-256").replace(" ", "") == hashlib.sha256(draft.subject_public_key_der).hexdigest()
    assert len(fields.pop("subjectKeyIdentifier")) == len(fields.pop("authorityKeyIdentifier")) == 40
    assert fields == {
        "version": "v3",
        "serial": "4a3f ce23 5dc0 c4e9 838b 45f8 39f7 66ad aca6 2eb9",
        "signature algorithm": "ecdsa-sha384",
        "issuer": "CN=Example Devices Root CA G1,O=Example,C=NO",
        "not before": "2026-11-24T00:00:00Z",
        "not after": "2031-11-19T00:00:00Z (1821 days)",
        "subject": "CN=alpha.1,O=Example",
        "public key": "ec:secp256r1",
        "basicConstraints (critical)": "CA, path length 0",
        "keyUsage (critical)": "digitalSignature, keyCertSign, cRLSign",
        "extendedKeyUsage": "clientAuth",
    }


def test_the_difference_to_the_last_of_its_kind_names_what_changed_and_no_more():
    draft, issuer = _draft("intermediate")
    last = draft.signed_with(material.signature_of(issuer, draft))
    assert draft.difference_to(None) == ("the first of its kind",)
    assert draft.difference_to(last) == ()
    other = replace(draft.profile, extended_key_usage=(), not_after=dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    changed = draft_certificate(other, draft.subject_public_key_der, draft.issuer_public_key_der, draft.serial)
    assert changed.difference_to(last) == (
        "not after: 2030-01-01T00:00:00Z (1134 days) (the last one: 2031-11-19T00:00:00Z (1821 days))",
        "extendedKeyUsage: none (the last one: clientAuth)",
    )


def _refusal(act, *arguments) -> CeremonyError:
    with pytest.raises(CeremonyError) as refused:
        act(*arguments)
    return refused.value


@pytest.mark.parametrize("root_key", material.KEYS)
def test_a_signature_that_is_not_the_issuers_over_these_bytes_is_refused(root_key):
    draft, issuer = _draft("intermediate", root_key)
    other, _ = _draft("proof", root_key)
    good = material.signature_of(issuer, draft)
    changed = good[:-1] + bytes([good[-1] ^ 1])
    for bad in (
        b"",
        changed,
        good + b"\0",
        material.signature_of(issuer, other),
        material.signature_of(material.private_key(root_key, 2), draft),
    ):
        assert _refusal(draft.signed_with, bad).code == "DRAFT-SIGNATURE-BAD"


def test_other_bytes_than_those_shown_are_refused_although_their_signature_holds():
    draft, issuer = _draft("intermediate")
    other = replace(draft, to_be_signed=_draft("proof")[0].to_be_signed)
    assert _refusal(other.signed_with, material.signature_of(issuer, other)).code == "DRAFT-BYTES-DIFFER"
    assert _refusal(other.shown).code == "DRAFT-BYTES-DIFFER"


def test_what_is_signed_is_checked_against_the_profile_again():
    draft, issuer = _draft("intermediate")
    narrowed = replace(draft, profile=replace(draft.profile, keys=("rsa:3072",)))
    assert _refusal(narrowed.signed_with, material.signature_of(issuer, draft)).code == "DRAFT-PROFILE"


@pytest.mark.parametrize("purpose", ["intermediate", "proof"])
def test_a_profile_is_for_one_issuer_and_not_for_its_key(purpose):
    draft, _ = _draft(purpose)
    other_key = material.spki(material.private_key("ec:secp384r1", 5))
    root_key = draft.issuer_public_key_der
    planned = replace(draft.profile, issuer_public_key_der=None)
    for profile, subject, issuer in (
        (draft.profile, draft.subject_public_key_der, other_key),
        (draft.profile, root_key, root_key),
        (planned, draft.subject_public_key_der, root_key),
    ):
        assert _refusal(draft_certificate, profile, subject, issuer, material.SERIAL).code == "DRAFT-PROFILE"


def test_a_root_signs_itself():
    draft, _ = _draft("root")
    other = material.spki(material.private_key("ec:secp384r1", 5))
    assert _refusal(draft_certificate, draft.profile, other, draft.issuer_public_key_der, material.SERIAL).code == "DRAFT-PROFILE"


def test_a_root_has_the_very_key_of_its_table():
    profile = _profile("root", "rsa:3072")
    spki = material.spki(material.private_key("rsa:4096"))
    assert "public key is 'rsa:4096'" in _refusal(draft_certificate, profile, spki, spki, material.SERIAL).what


@pytest.mark.parametrize("serial", [0, 1, -5, 1 << 151, 1 << 159, 1 << 200])
def test_a_serial_that_is_not_twenty_octets_is_refused(serial):
    draft, _ = _draft("root")
    spki = draft.subject_public_key_der
    assert _refusal(draft_certificate, draft.profile, spki, spki, serial).code == "DRAFT-PROFILE"


def test_a_key_that_signs_no_certificates_is_refused():
    key = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    profile = _profile("intermediate", "ec:secp384r1")
    root_key = material.spki(material.private_key("ec:secp384r1"))
    for subject in (key, b"", b"no key"):
        assert _refusal(draft_certificate, profile, subject, root_key, material.SERIAL).code == "DRAFT-PROFILE"


@given(st.binary(min_size=20, max_size=64), st.binary(min_size=20, max_size=64))
def test_a_serial_has_twenty_octets_and_is_positive(token_random, system_random):
    if token_random == system_random:
        return
    serial = serial_number(token_random, system_random)
    assert len(serial.to_bytes(20)) == 20
    assert 0x40 <= serial.to_bytes(20)[0] <= 0x7F
    assert len(serial_text(serial)) == 40
    assert serial_number(token_random, system_random) == serial
    assert serial_number(system_random, token_random) != serial


@pytest.mark.parametrize("octets", [(b"a" * 19, b"b" * 32), (b"a" * 32, b""), (b"a" * 32, b"a" * 32)])
def test_a_serial_wants_both_generators(octets):
    with pytest.raises(ValueError, match="two generators"):
        serial_number(*octets)


def test_either_generator_alone_changes_the_serial():
    serials = {serial_number(bytes([token]) * 20, bytes([system]) * 20) for token in range(4) for system in range(4, 8)}
    assert len(serials) == 16


def test_a_subject_may_be_in_another_script_and_is_shown_escaped():
    draft, issuer = _draft("intermediate")
    norwegian = replace(draft.profile, subject=x509.Name.from_rfc4514_string("CN=Ærlig,O=Example"))
    draft = draft_certificate(norwegian, draft.subject_public_key_der, draft.issuer_public_key_der, draft.serial)
    assert r"subject: CN=\u{C6}rlig,O=Example" in draft.shown()
    certificate = x509.load_der_x509_certificate(draft.signed_with(material.signature_of(issuer, draft)))
    assert name_text(certificate.subject) == "CN=Ærlig,O=Example"
