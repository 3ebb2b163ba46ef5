"""The factory's key in use: the one that factory.json names, opened with its secret, which is gone afterwards."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from ceremony.errors import CeremonyError
from ceremony.factory.folder import Factory, TokenKey
from ceremony.factory.issuer_key import open_issuer_key, unlocked_issuer_key
from ceremony.pki.signatures import algorithm_for, signature_holds
from ceremony.words import sha256_hex
from hsm.client import Module
from tests.factory.given import PASSPHRASE, PIN, TOKEN, FactoryToken, factory_in_file, factory_on_token, secret_file


@pytest.fixture(params=["file", "token"])
def factory(request: pytest.FixtureRequest, here: FactoryToken, tmp_path: Path) -> Factory:
    return factory_in_file(tmp_path / "F") if request.param == "file" else factory_on_token(tmp_path / "F", here)


def secret_of(factory: Factory) -> str:
    return PASSPHRASE if "FileKey" in repr(factory.key) else PIN


def refused(factory: Factory, secret: bytearray) -> CeremonyError:
    with pytest.raises(CeremonyError) as caught, open_issuer_key(factory, secret):
        pytest.fail("it was opened")
    assert not any(secret), "the secret was not wiped"
    return caught.value


def test_it_signs_and_its_secret_is_gone(factory: Factory, tmp_path: Path) -> None:
    secret = bytearray(secret_of(factory).encode())
    with open_issuer_key(factory, secret) as key:
        assert secret == bytes(len(secret)), "the secret was not wiped"
        assert sha256_hex(key.public_key_der) == factory.spki_sha256
        for message in (b"", b"to be signed" * 1000):
            signature = key.sign(message, algorithm_for(key.public_key_der))
            assert signature_holds(key.public_key_der, message, signature)
            assert not signature_holds(key.public_key_der, message + b"x", signature)
        with pytest.raises((ValueError, CeremonyError)):
            key.sign(b"x", "rsa-pkcs1-sha384")


def test_its_secret_is_asked_for_and_a_token_is_opened_once(
    factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, start = [], Module.start

    def counted(*given: Any) -> Module:
        started.append(given)
        return start(*given)

    monkeypatch.setattr(Module, "start", counted)
    with unlocked_issuer_key(factory, secret_file(tmp_path, secret_of(factory))) as key:
        assert sha256_hex(key.public_key_der) == factory.spki_sha256
    assert len(started) == isinstance(factory.key, TokenKey)


def test_a_wrong_secret_opens_nothing(factory: Factory) -> None:
    assert refused(factory, bytearray(b"not the secret at all")).code in ("PASSPHRASE-WRONG", "TOKEN-PIN-WRONG")


def test_a_key_in_a_file_is_there_in_forked_processes(tmp_path: Path) -> None:
    factory = factory_in_file(tmp_path / "F")
    program = f"""
import os
from pathlib import Path
from ceremony.factory.folder import read_factory
from ceremony.factory.issuer_key import open_issuer_key
from ceremony.pki.signatures import algorithm_for, signature_holds
with open_issuer_key(read_factory(Path({str(factory.folder)!r})), bytearray({PASSPHRASE.encode()!r})) as key:
    if (child := os.fork()) == 0:
        os._exit(0 if signature_holds(key.public_key_der, b"x", key.sign(b"x", algorithm_for(key.public_key_der))) else 1)
    raise SystemExit(os.waitpid(child, 0)[1])
"""
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", program]) == 0


def test_another_key_in_the_files_place_is_told(tmp_path: Path) -> None:
    factory, other = factory_in_file(tmp_path / "F"), factory_in_file(tmp_path / "G")
    shutil.copy(other.folder / "alpha.1.key.pem", factory.folder / "alpha.1.key.pem")
    assert refused(factory, bytearray(PASSPHRASE.encode())).code == "FACTORY-KEY-DIFFERS"
    (factory.folder / "alpha.1.key.pem").unlink()
    assert refused(factory, bytearray(PASSPHRASE.encode())).code == "FACTORY-BROKEN"


def test_an_unencrypted_key_in_the_files_place_is_told(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from ceremony.factory.key_file import key_of

    factory = factory_in_file(tmp_path / "F")
    place = factory.folder / "alpha.1.key.pem"
    key = key_of(place.read_bytes(), bytearray(PASSPHRASE.encode()))
    place.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert refused(factory, bytearray(PASSPHRASE.encode())).code == "FACTORY-BROKEN"


def test_a_token_without_the_key_or_another_token_is_told(here: FactoryToken, tmp_path: Path) -> None:
    factory = factory_on_token(tmp_path / "F", here)
    with Module.start(here.module, here.environ) as module:
        token = module.token(label=TOKEN)
        token.login(bytearray(PIN.encode()))
        token.destroy(bytes.fromhex(factory.key.key_id))  # type: ignore[union-attr]  # it is on a token
        assert refused(factory, bytearray(PIN.encode())).code == "FACTORY-KEY-DIFFERS"
        token.generate_key("ec:secp384r1", "another", bytes.fromhex(factory.key.key_id))  # type: ignore[union-attr]
    assert refused(factory, bytearray(PIN.encode())).code == "FACTORY-KEY-DIFFERS"


def test_a_token_that_is_gone_is_told_before_its_pin_is_asked_for(here: FactoryToken, tmp_path: Path) -> None:
    factory = factory_on_token(tmp_path / "F", here)
    shutil.rmtree(tmp_path / "softhsm" / "tokens")
    (tmp_path / "softhsm" / "tokens").mkdir()
    with pytest.raises(CeremonyError) as gone, unlocked_issuer_key(factory, None):
        pytest.fail("it was opened")
    assert gone.value.code == "TOKEN-NOT-FOUND"
    assert refused(factory, bytearray(PIN.encode())).code == "TOKEN-NOT-FOUND"
