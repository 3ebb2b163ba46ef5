"""The factory's folder is read as what it is: whatever does not fit is told, and never made the best of."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from ceremony.canonical import canonical_json
from ceremony.errors import CeremonyError
from ceremony.factory.folder import ACCEPTED, FACTORY, LARGEST_FILE, Factory, FactoryFile, FileKey, json_of, read_accepted, read_factory
from ceremony.words import sha256_hex
from tests.factory.given import factory_in_file
from tests.factory.made_up import Root
from tests.factory.test_accept import certified_by, taken

Spoil = Callable[[dict[str, Any]], object]


@pytest.fixture
def accepted(tmp_path: Path) -> Factory:
    root = Root(rehearsal=True)
    factory = factory_in_file(tmp_path / "alpha")
    return taken(factory, root, certified_by(root, factory)).accepted.factory


def code_of(folder: Path) -> str:
    with pytest.raises(CeremonyError) as caught:
        read_accepted(folder)
    assert caught.value.what.isascii()
    return caught.value.code


def spoilt(folder: Path, name: str, spoil: Spoil) -> None:
    path = folder / name
    value = json.loads(path.read_bytes())
    spoil(value)
    path.write_bytes(canonical_json(value) + b"\n")


def in_key(key: dict[str, Any]) -> Spoil:
    return lambda value: value.__setitem__("key", key)


def put(name: str, value: Any) -> Spoil:
    return lambda table: table.__setitem__(name, value)


ON_TOKEN = {"kind": "token", "module": "/x.so", "serial": "1", "label": "x", "key_id": "00"}
SPOILT: dict[str, tuple[str, Spoil]] = {
    "another format": (FACTORY, put("format", 2)),
    "an unknown key": (FACTORY, put("extra", 1)),
    "a key that is missing": (FACTORY, lambda value: value.pop("subject")),
    "a name that is a path": (FACTORY, put("name", "../x")),
    "another name than the files bear": (FACTORY, put("name", "beta.1")),
    "a kind of key that we do not make": (FACTORY, put("key_type", "rsa:1024")),
    "a digest that is none": (FACTORY, put("spki_sha256", "0" * 63)),
    "the digest of another key": (FACTORY, put("spki_sha256", "0" * 64)),
    "a time that is none": (FACTORY, put("made_at", "yesterday")),
    "an unknown kind of place": (FACTORY, in_key({"kind": "cloud"})),
    "a key out of the folder": (FACTORY, in_key({"kind": "file", "path": "../alpha.1.key.pem"})),
    "a module by a relative path": (FACTORY, in_key({**ON_TOKEN, "module": "x.so"})),
    "a key id that is no hex": (FACTORY, in_key({**ON_TOKEN, "key_id": "0"})),
    "a place with too much": (FACTORY, in_key({**ON_TOKEN, "pin": "1234"})),
    "a rehearsal that says it is none": (ACCEPTED, put("rehearsal", False)),
    "another root": (ACCEPTED, put("root_fingerprint", "0" * 64)),
    "another certificate": (ACCEPTED, put("certificate_sha256", "0" * 64)),
    "accepted.json with an unknown key": (ACCEPTED, put("extra", 1)),
    "accepted.json of another format": (ACCEPTED, put("format", 2)),
}


@pytest.mark.parametrize(("name", "spoil"), SPOILT.values(), ids=SPOILT)
def test_a_folder_that_does_not_fit_together_is_told(name: str, spoil: Spoil, accepted: Factory) -> None:
    assert read_accepted(accepted.folder).rehearsal
    spoilt(accepted.folder, name, spoil)
    assert code_of(accepted.folder) == "FACTORY-BROKEN"


def test_a_chain_that_is_not_the_one_accepted_is_told(accepted: Factory) -> None:
    chain, alone = accepted.chain_path.read_bytes(), accepted.certificate_path.read_bytes()
    root = chain.removeprefix(alone)
    other = Root(rehearsal=True)
    forged = other.bundle(certified_by(other, accepted))
    for chain_pem, certificate_pem in (
        (alone, alone),
        (root + alone, root),
        (chain + root, alone),
        (chain + b"\n", alone),
        (chain, root),
        (forged.intermediates["one"].pem + forged.root.pem, forged.intermediates["one"].pem),
        (alone + forged.root.pem, alone),
    ):
        accepted.chain_path.write_bytes(chain_pem)
        accepted.certificate_path.write_bytes(certificate_pem)
        assert code_of(accepted.folder) == "FACTORY-BROKEN"


def test_a_certificate_that_its_root_did_not_sign_is_told_whatever_accepted_json_says(accepted: Factory) -> None:
    other = Root(rehearsal=True)
    forged, root = certified_by(other, accepted), read_accepted(accepted.folder).root
    pem = forged.public_bytes(Encoding.PEM)
    accepted.certificate_path.write_bytes(pem)
    accepted.chain_path.write_bytes(pem + root.public_bytes(Encoding.PEM))
    spoilt(accepted.folder, ACCEPTED, put("certificate_sha256", sha256_hex(forged.public_bytes(Encoding.DER))))
    with pytest.raises(CeremonyError) as caught:
        read_accepted(accepted.folder)
    assert caught.value.what == f"{accepted.chain_path.name}: its certificate is not one of its root."


def test_files_that_are_not_plain_are_not_read(accepted: Factory) -> None:
    place = accepted.folder / FACTORY
    octets = place.read_bytes()
    elsewhere = accepted.folder.with_name("elsewhere")

    def linked() -> None:
        elsewhere.write_bytes(octets)
        place.symlink_to(elsewhere)

    makers: list[Callable[[], object]] = [
        linked,
        lambda: os.link(elsewhere, place),
        lambda: os.mkfifo(place),
        lambda: place.write_bytes(b" " * (LARGEST_FILE + 1)),
        place.mkdir,
    ]
    for make in makers:
        place.unlink()
        make()
        with pytest.raises(CeremonyError) as caught:
            read_factory(accepted.folder)
        assert caught.value.code == "FACTORY-BROKEN"
    place.rmdir()
    place.write_bytes(octets)
    assert read_factory(accepted.folder) == accepted


def test_what_is_no_folder_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(CeremonyError) as caught:
            read_factory(folder)
        assert (caught.value.code, caught.value.exit_code) == ("FACTORY-MISSING", 2)


@given(st.binary(max_size=400))
def test_no_bytes_in_its_place_break_the_reader(octets: bytes) -> None:
    folder = _FOLDERS[0]
    (folder / FACTORY).write_bytes(octets)
    with pytest.raises(CeremonyError) as caught:
        read_factory(folder)
    assert caught.value.code == "FACTORY-BROKEN"


_FOLDERS: list[Path] = []


@pytest.fixture(scope="module", autouse=True)
def folder_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    _FOLDERS[:] = [tmp_path_factory.mktemp("any")]


def test_the_file_is_canonical() -> None:
    value = FactoryFile(1, "a", "CN=a", "ec:secp256r1", FileKey("a.key.pem"), "0" * 64, "2026-01-01T00:00:00Z")
    assert json_of(value) == (
        b'{"format":1,"key":{"kind":"file","path":"a.key.pem"},"key_type":"ec:secp256r1","made_at":"2026-01-01T00:00:00Z",'
        b'"name":"a","spki_sha256":"' + b"0" * 64 + b'","subject":"CN=a"}\n'
    )
