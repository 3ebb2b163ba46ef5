import base64

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ceremony.errors import CeremonyError
from ceremony.pki.csr import LARGEST_CSR, SigningRequest, problems_with_csr, read_csr
from ceremony.pki.names import parse_name
from tests.pki import material

_ALPHA = parse_name("CN=alpha.1,O=Example")
_P384 = material.private_key("ec:secp384r1", 1)


def _csr(key=_P384, subject=_ALPHA, extensions=(), attributes=(), hashed=None, **signing) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for kind, value in attributes:
        builder = builder.add_attribute(kind, value)
    return builder.sign(key, hashed or hashes.SHA384(), **signing).public_bytes(Encoding.PEM)


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    assert len(content) < 256
    return bytes([tag, len(content)] if len(content) < 128 else [tag, 0x81, len(content)]) + content


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE REQUEST-----\n"


def _codes(request: SigningRequest, **change) -> list[str]:
    arguments = {"profile": material.FACTORY, "root_public_key_der": None, "certified": ()} | change
    return [code for code, _ in problems_with_csr(request, **arguments)]


def _refusal(pem: bytes) -> CeremonyError:
    with pytest.raises(CeremonyError) as refused:
        read_csr(pem)
    assert refused.value.what.isascii()
    return refused.value


@pytest.mark.parametrize("name", material.KEYS)
def test_a_request_made_by_openssl_is_read_and_taken(name, tmp_path):
    key = tmp_path / "key.pem"
    key.write_bytes(material.key_pem(material.private_key(name, 1)))
    pem = material.openssl("req", "-new", "-key", key, "-subj", "/O=Example/CN=alpha.1").encode()
    request = read_csr(pem)
    assert request.subject == _ALPHA
    assert request.public_key_der == material.spki(material.private_key(name, 1))
    assert request.requested == ()
    assert _codes(request) == []
    assert read_csr(pem.replace(b"\n", b"\r\n")) == request


def test_the_digest_is_the_one_openssl_gives_of_the_key(tmp_path):
    (tmp_path / "a.csr").write_bytes(_csr())
    material.openssl("req", "-in", tmp_path / "a.csr", "-noout", "-pubkey", "-out", tmp_path / "public.pem")
    material.openssl("pkey", "-pubin", "-in", tmp_path / "public.pem", "-outform", "DER", "-out", tmp_path / "public.der")
    digest = material.openssl("dgst", "-sha256", "-r", tmp_path / "public.der").split()[0]
    assert read_csr(_csr()).public_key_sha256 == digest


def test_what_it_asks_for_is_shown_escaped_and_is_not_in_the_certificate():
    pem = _csr(
        extensions=[
            (x509.BasicConstraints(True, 5), True),
            (x509.KeyUsage(True, True, True, True, True, True, True, True, True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("1.2.3.4")]), True),
            (x509.SubjectAlternativeName([x509.DNSName("evil\x1b[2J.example"), x509.UniformResourceIdentifier("https://example")]), False),
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.5"), b"\x1b" * 60), True),
        ],
        attributes=[(x509.oid.AttributeOID.CHALLENGE_PASSWORD, b"hunter2")],
    )
    request = read_csr(pem)
    assert request.requested == (
        "asks for basicConstraints (critical): CA, path length 5",
        "asks for keyUsage (critical): digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment, keyAgreement, "
        "keyCertSign, cRLSign, encipherOnly, decipherOnly",
        "asks for extendedKeyUsage (critical): serverAuth, 1.2.3.4",
        r"asks for subjectAltName: DNSName evil\u{1B}[2J.example, UniformResourceIdentifier https://example",
        f"asks for extension 1.2.3.5 (critical): {'1b' * 48}... (60 octets)",
        "holds the attribute 1.2.840.113549.1.9.7",
    )
    assert _codes(request) == []
    certificate = x509.load_der_x509_certificate(
        material.issue(material.alpha(material.root()), _P384, material.private_key("ec:secp384r1"))
    )
    assert request.public_key_der == material.spki(_P384)
    assert [extension.oid._name for extension in certificate.extensions] == [
        "basicConstraints", "keyUsage", "extendedKeyUsage", "subjectKeyIdentifier", "authorityKeyIdentifier",
    ]  # fmt: skip
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_a_flood_of_wishes_is_cut():
    names = [x509.DNSName(f"host-{number}.example") for number in range(1000)]
    many = [(x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.2.3.{number}"), b"\5\0"), False) for number in range(100)]
    requested = read_csr(_csr(extensions=[(x509.SubjectAlternativeName(names), False), *many])).requested
    assert len(requested) == 41
    assert requested[-1] == "asks for 61 more"
    assert max(len(line) for line in requested) < 450


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "not one PEM block"),
        (b"\xff\xfe\x00", "not one PEM block"),
        (base64.b64decode("".join(_csr().decode().splitlines()[1:-1])), "from DER"),
        (_csr() + _csr(), "not one PEM block"),
        (b"Certificate Request:\n" + _csr(), "not one PEM block"),
        (_csr()[:-40], "not one PEM block"),
        (_csr().replace(b"CERTIFICATE REQUEST", b"CERTIFICATE"), "not one PEM block"),
        (_csr() + material.key_pem(_P384), "private key"),
        (b" " * LARGEST_CSR + _csr(), "more than"),
        (_csr().replace(b"REQUEST-----\nMII", b"REQUEST-----\nMIJ", 1), "cannot be read"),
        (material.pem(material.root()).replace(b"CERTIFICATE-", b"CERTIFICATE REQUEST-"), "cannot be read"),
    ],
    ids=["empty", "binary", "der", "two", "text-before", "cut", "label", "private-key", "too-large", "length-changed", "certificate"],
)
def test_what_is_not_one_request_is_broken(pem, why):
    refusal = _refusal(pem)
    assert refusal.code == "CSR-BROKEN"
    assert why in refusal.what


def test_a_request_signed_by_another_key_is_refused():
    request = x509.load_pem_x509_csr(_csr())
    other = x509.load_pem_x509_csr(_csr(key=material.private_key("ec:secp384r1", 2)))
    der = request.public_bytes(Encoding.DER).replace(request.signature, other.signature)
    if len(request.signature) != len(other.signature):
        der = request.public_bytes(Encoding.DER)[:-1] + bytes([request.signature[-1] ^ 1])
    assert _refusal(_pem(der)).code == "CSR-SIGNATURE"


def test_a_subject_changed_after_signing_is_refused():
    der = x509.load_pem_x509_csr(_csr()).public_bytes(Encoding.DER).replace(b"alpha.1", b"gamma.1")
    assert _refusal(_pem(der)).code == "CSR-SIGNATURE"


@pytest.mark.parametrize("hashed", ["sha1", "sha224"])
def test_an_old_hash_is_refused(hashed, tmp_path):
    key = tmp_path / "key.pem"
    key.write_bytes(material.key_pem(_P384))
    pem = material.openssl("req", "-new", f"-{hashed}", "-key", key, "-subj", "/O=Example/CN=alpha.1").encode()
    refusal = _refusal(pem)
    assert refusal.code == "CSR-SIGNATURE"
    assert f"signed with {hashed}" in refusal.what


def test_rsa_pss_as_the_requests_own_signature_is_taken():
    key = material.private_key("rsa:3072", 1)
    pem = _csr(key=key, rsa_padding=padding.PSS(padding.MGF1(hashes.SHA384()), padding.PSS.DIGEST_LENGTH))
    assert _codes(read_csr(pem)) == []


def test_a_name_of_another_type_is_broken():
    """Found by `make fuzz`: a bit string as common name was a TypeError."""
    der = x509.load_pem_x509_csr(_csr()).public_bytes(Encoding.DER)
    changed = der.replace(b"\x0c\x07alpha.1", b"\x03\x07alpha.1")
    assert changed != der
    with pytest.raises(CeremonyError) as refused:
        read_csr(_pem(changed))
    assert refused.value.code == "CSR-BROKEN"


def test_a_compressed_key_is_broken():
    key = material.private_key("ec:secp256r1", 1)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    compressed = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    to_be_signed = _der(0x30, b"\x02\x01\x00", _ALPHA.public_bytes(), compressed, b"\xa0\x00")
    signature = key.sign(to_be_signed, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    refusal = _refusal(_pem(_der(0x30, to_be_signed, algorithm, _der(0x03, b"\0", signature))))
    assert refusal.code == "CSR-BROKEN"
    assert "usual encoding" in refusal.what


def test_a_key_restricted_to_pss_is_broken(tmp_path):
    material.openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:3072", "-out", tmp_path / "key.pem")
    pem = material.openssl("req", "-new", "-key", tmp_path / "key.pem", "-subj", "/O=Example/CN=alpha.1").encode()
    assert _refusal(pem).code == "CSR-BROKEN"


def test_explicit_curve_parameters_are_broken(tmp_path):
    key = tmp_path / "key.pem"
    material.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-param_enc", "explicit", "-out", key)
    pem = material.openssl("req", "-new", "-key", key, "-subj", "/O=Example/CN=alpha.1").encode()
    assert _refusal(pem).code == "CSR-BROKEN"


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (ec.generate_private_key(ec.SECP256K1()), hashes.SHA256()),
        (ec.generate_private_key(ec.BrainpoolP256R1()), hashes.SHA256()),
        (ed25519.Ed25519PrivateKey.generate(), None),
    ],
    ids=["secp256k1", "brainpool", "ed25519"],
)
def test_a_key_we_do_not_take_is_refused(key, hashed):
    pem = x509.CertificateSigningRequestBuilder().subject_name(_ALPHA).sign(key, hashed).public_bytes(Encoding.PEM)
    assert _codes(read_csr(pem)) == ["CSR-KEY-REFUSED"]


@pytest.mark.parametrize("bits", [1024, 2048])
def test_a_small_rsa_key_is_refused(bits, tmp_path):
    material.openssl("genrsa", "-out", tmp_path / "key.pem", str(bits))
    pem = material.openssl("req", "-new", "-key", tmp_path / "key.pem", "-subj", "/O=Example/CN=alpha.1").encode()
    assert _codes(read_csr(pem)) == ["CSR-KEY-REFUSED"]


def test_a_weak_key_is_refused(tmp_path):
    material.openssl(
        "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-pkeyopt", "rsa_keygen_pubexp:3", "-out", tmp_path / "k"
    )
    pem = material.openssl("req", "-new", "-key", tmp_path / "k", "-subj", "/O=Example/CN=alpha.1").encode()
    assert _codes(read_csr(pem)) == ["CSR-KEY-WEAK"]


def test_a_profile_narrows_the_keys_taken():
    narrow = msgspec.structs.replace(material.FACTORY, keys=("ec:secp256r1",))
    assert _codes(read_csr(_csr()), profile=narrow) == ["CSR-KEY-REFUSED"]


def test_the_roots_own_key_is_refused():
    request = read_csr(_csr(key=material.private_key("ec:secp384r1")))
    root_key = material.spki(material.private_key("ec:secp384r1"))
    assert _codes(request, root_public_key_der=root_key) == ["CSR-ROOT-KEY"]
    assert _codes(read_csr(_csr()), root_public_key_der=root_key) == []


def test_a_key_that_is_certified_already_is_refused():
    request = read_csr(_csr())
    assert _codes(request, certified={request.public_key_sha256}) == ["CSR-ALREADY-CERTIFIED"]


@pytest.mark.parametrize(
    "subject",
    [
        "CN=alpha.1",
        "CN=alpha.1,O=Other",
        "CN=alpha.1,O=Example,C=NO",
        "CN=alpha.1+L=Oslo,O=Example",
        "CN=a\u202eb,O=Example",
        "CN=a\\0Ab,O=Example",
        "CN=\u0430lpha.1,O=Example",
        "",
    ],
)
def test_a_subject_that_does_not_fit_is_refused(subject):
    problems = problems_with_csr(read_csr(_csr(subject=x509.Name.from_rfc4514_string(subject))), material.FACTORY, None, ())
    assert {code for code, _ in problems} == {"CSR-SUBJECT"}
    assert all(text.isascii() for _, text in problems)


@pytest.mark.parametrize("kind", [x509.name._ASN1Type.T61String, x509.name._ASN1Type.BMPString])
def test_a_subject_of_old_string_types_is_refused(kind):
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, "alpha.1", kind)]
    assert _codes(read_csr(_csr(subject=x509.Name(names)))) == ["CSR-SUBJECT"]


def test_a_name_that_is_too_long_is_refused_without_a_warning_on_the_screen(recwarn):
    with pytest.warns(UserWarning, match="length"):
        long = x509.NameAttribute(NameOID.COMMON_NAME, "a" * 65, _validate=False)
    pem = _csr(subject=x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), long]))
    assert _codes(read_csr(pem)) == ["CSR-SUBJECT"]
    assert not recwarn.list


def test_all_reasons_are_told_at_once():
    pem = _csr(key=material.private_key("rsa:3072", 1), subject=parse_name("CN=alpha.1"))
    narrow = msgspec.structs.replace(material.FACTORY, keys=("ec:secp256r1",))
    request = read_csr(pem)
    codes = _codes(request, profile=narrow, root_public_key_der=request.public_key_der, certified=[request.public_key_sha256])
    assert codes == ["CSR-KEY-REFUSED", "CSR-ROOT-KEY", "CSR-ALREADY-CERTIFIED", "CSR-SUBJECT"]


_ASKS_FOR_MUCH = _csr(
    extensions=[(x509.BasicConstraints(True, 5), True), (x509.SubjectAlternativeName([x509.DNSName("a.example")]), False)]
)


@settings(max_examples=300)
@given(st.data())
def test_any_octets_changed_are_refused_or_leave_the_same_request(data):
    der = bytearray(x509.load_pem_x509_csr(_ASKS_FOR_MUCH).public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        request = read_csr(_pem(bytes(der)))
    except CeremonyError as refused:
        assert refused.code in ("CSR-BROKEN", "CSR-SIGNATURE")
        assert refused.what.isascii()
    else:
        assert request == read_csr(_ASKS_FOR_MUCH)


@given(st.binary(max_size=300))
def test_any_file_is_refused_in_our_words(octets):
    for pem in (octets, _pem(octets)):
        assert _refusal(pem).code == "CSR-BROKEN"
