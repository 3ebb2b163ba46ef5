"""The small parts: DER, the pipe, profiles, the walls."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from hypothesis import given
from hypothesis import strategies as st

from hsm import der, keys, pipe
from hsm.profiles import STRICT, profile_of

ROOT = Path(__file__).parent.parent.parent
SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@given(st.integers(1, 2**521), st.integers(1, 2**521))
def test_an_ecdsa_signature_is_the_der_that_others_read(r: int, s: int):
    raw = r.to_bytes(66, "big") + s.to_bytes(66, "big")
    assert der.ecdsa_signature(raw) == utils.encode_dss_signature(r, s)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_an_ec_public_key_is_the_der_that_others_write(curve: ec.EllipticCurve):
    name = f"ec:{curve.name}"
    public = ec.generate_private_key(curve).public_key()
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    assert der.ec_public_key(keys.KINDS[name].curve_der, point) == public.public_bytes(*SPKI)


def test_an_rsa_public_key_is_the_der_that_others_write():
    for bits in (1024, 3072):
        numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
        assert der.rsa_public_key(numbers.n, numbers.e) == numbers.public_key().public_bytes(*SPKI)


@pytest.mark.parametrize("wrap", [lambda point: point, lambda point: der.element(0x04, point)])
def test_a_point_is_read_bare_and_as_an_octet_string(wrap):
    from pkcs11 import Attribute, KeyType

    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    held = {Attribute.KEY_TYPE: KeyType.EC, Attribute.EC_PARAMS: keys.KINDS["ec:secp384r1"].curve_der, Attribute.EC_POINT: wrap(point)}
    assert keys.public_key_der(held) == public.public_bytes(*SPKI)


POINT = b"\x04" + bytes(96)


@pytest.mark.parametrize("bad", [b"", POINT[1:], b"\x03" + POINT[1:], b"\x04\x60" + POINT, b"\0\0" + POINT])
def test_a_point_that_is_none_is_refused(bad: bytes):
    from pkcs11 import Attribute, KeyType

    from hsm.errors import TokenError

    held = {Attribute.KEY_TYPE: KeyType.EC, Attribute.EC_PARAMS: keys.KINDS["ec:secp384r1"].curve_der, Attribute.EC_POINT: bad}
    with pytest.raises(TokenError) as caught:
        keys.public_key_der(held)
    assert caught.value.code == "KEY-ATTRIBUTE"


@given(st.lists(st.binary(min_size=1, max_size=64), max_size=3))
def test_a_request_comes_through_the_pipe_with_its_secrets_beside_it(secrets: list[bytes]):
    reading, writing = os.pipe()
    try:
        lengths = tuple(len(secret) for secret in secrets)
        request = pipe.Request(number=7, verb="login", token=1, args={"last_try_too": False}, secrets=lengths)
        framed = pipe.framed(request)
        pipe.write_all(writing, [framed, *(bytearray(secret) for secret in secrets)])
        assert pipe.read_request(reading) == (request, [bytearray(secret) for secret in secrets])
    finally:
        os.close(reading)
        os.close(writing)


def test_a_pipe_that_ends_early_and_messages_over_the_caps():
    too_long = (pipe.LARGEST_MESSAGE + 1).to_bytes(4, "big")
    long_secret = pipe.framed(pipe.Request(number=1, verb="login", secrets=(pipe.LONGEST_SECRET + 1,)))
    for octets in (b"", b"\0\0", b"\0\0\0\x09{", too_long, long_secret):
        reading, writing = os.pipe()
        os.write(writing, octets)
        os.close(writing)
        with pytest.raises(pipe.PipeClosed):
            pipe.read_request(reading)
        os.close(reading)


def test_a_message_larger_than_the_pipe_is_written_whole():
    reading, writing = os.pipe()
    octets = os.urandom(1 << 18)
    writer = threading.Thread(target=pipe.write_all, args=(writing, [octets]))
    writer.start()
    buffer = bytearray(len(octets))
    pipe.read_into(reading, buffer)
    writer.join()
    assert buffer == octets
    os.close(reading)
    os.close(writing)


def test_a_secret_is_wiped_in_place():
    secret = bytearray(b"1234")
    same = memoryview(secret)
    pipe.wipe(secret)
    assert bytes(same) == bytes(4)


@pytest.mark.parametrize(
    ("names", "profile", "software"),
    [
        (("SoftHSM", "Implementation of PKCS11"), "softhsm", True),
        (("PKCS#11 Kit", "PKCS#11 Kit Proxy Module", "SoftHSM project", "SoftHSM v2"), "softhsm", True),
        (("Mozilla Foundation", "NSS Internal Crypto Services"), "nss", True),
        (("IBM", "openCryptoki", "IBM", "Soft"), "opencryptoki-soft", True),
        (("IBM", "openCryptoki", "IBM", "CCA"), "strict", False),
        (("Yubico (www.yubico.com)", "YubiHSM PKCS#11 Library"), "yubihsm2", False),
        (("OpenSC Project", "OpenSC smartcard framework", "www.CardContact.de", "PKCS#15 emulated"), "smartcard-hsm", False),
        (("OpenSC Project", "OpenSC smartcard framework", "piv_II", "PKCS#15 emulated"), "strict", False),
        (("Gnome Keyring", "Gnome Keyring Secret Store"), "strict", True),
    ],
)
def test_a_profile_is_found_by_the_names_that_module_and_token_give_themselves(names: tuple[str, ...], profile: str, software: bool):
    found = profile_of(*names)
    assert (found.name, found.software) == (profile, software)


def test_the_strict_profile_passes_nothing_over():
    assert not STRICT.cannot_say
    assert not STRICT.no_keys


def test_the_client_loads_neither_pkcs11_nor_ctypes_nor_ceremony():
    code = "import sys, hsm.client; print(sorted({'pkcs11', 'ctypes', 'ceremony', 'cryptography', 'asn1crypto'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_ctypes_stands_in_the_side_car_alone():
    with_ctypes = [path.name for path in sorted((ROOT / "hsm").glob("*.py")) if "import ctypes" in path.read_text()]
    assert with_ctypes == ["sidecar.py"]
