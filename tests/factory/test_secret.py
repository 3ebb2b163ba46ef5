"""Passphrases and PINs: out of a file that its owner alone may read, or typed where nobody sees them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from ceremony.errors import CeremonyError
from ceremony.factory.folder import read_factory
from ceremony.factory.key_file import encrypted_pem, key_of, new_key
from ceremony.factory.secret import LONGEST_SECRET, new_passphrase_from, secret_from, wipe
from ceremony.pki.key_wrapping import Work
from tests.e2e.secrets_kept import processes_with, terminal_without
from tests.e2e.tmux import terminal
from tests.factory.given import ALPHA, PASSPHRASE, PIN, TOKEN, FactoryToken, secret_file


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_end_of_the_line_is_no_part_of_a_secret(end: str, tmp_path: Path) -> None:
    path = secret_file(tmp_path, "")
    path.write_bytes(b"p\xc3\xa6ss phrase  " + end.encode())
    secret = secret_from(path, "")
    assert secret == b"p\xc3\xa6ss phrase  "
    wipe(secret)
    assert secret == bytes(14)


def readable_by_others(path: Path) -> None:
    path.chmod(0o640)


def writable_by_others(path: Path) -> None:
    path.chmod(0o602)


def a_link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to(path.with_name("real"))


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def of_somebody_else(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 65534, 65534)


REFUSED: list[tuple[Callable[[Path], object], str]] = [
    (readable_by_others, "0640"),
    (writable_by_others, "0602"),
    (a_link, "can't be read"),
    (a_pipe, "not a regular file"),
    (a_folder, "not a regular file"),
    (of_somebody_else, "another user"),
    (Path.unlink, "can't be read"),
    (lambda path: path.write_bytes(b""), "empty"),
    (lambda path: path.write_bytes(b"\n"), "empty"),
    (lambda path: path.write_bytes(b"one\ntwo\n"), "more than one line"),
    (lambda path: path.write_bytes(b"one\n\n"), "more than one line"),
    (lambda path: path.write_bytes(b"o\0ne"), "more than one line"),
    (lambda path: path.write_bytes(b"x" * (LONGEST_SECRET + 1)), f"{LONGEST_SECRET} bytes"),
    (lambda path: path.write_bytes(b"x" * (1 << 20)), f"{LONGEST_SECRET} bytes"),
]


@pytest.mark.parametrize(("spoil", "why"), REFUSED)
def test_a_file_that_others_could_read_or_that_is_no_secret_is_refused(spoil: Callable[[Path], object], why: str, tmp_path: Path) -> None:
    path = secret_file(tmp_path, PASSPHRASE)
    spoil(path)
    with pytest.raises(CeremonyError) as refused:
        secret_from(path, "")
    assert (refused.value.code, refused.value.exit_code) == ("SECRET-FILE", 2)
    assert why in refused.value.what
    assert refused.value.do_now == f"chmod 600 {path}" or "permissions" not in refused.value.what


def test_the_longest_secret_is_taken(tmp_path: Path) -> None:
    assert len(secret_from(secret_file(tmp_path, "x" * LONGEST_SECRET), "")) == LONGEST_SECRET


def test_a_new_passphrase_is_counted_in_characters(tmp_path: Path) -> None:
    with pytest.raises(CeremonyError) as short:
        new_passphrase_from(secret_file(tmp_path, "æ" * 14), "")
    assert short.value.code == "PASSPHRASE-REFUSED" and "14 characters" in short.value.what
    assert len(new_passphrase_from(secret_file(tmp_path, "æ" * 15), "")) == 30


@pytest.fixture
def stretched_little() -> Iterator[None]:
    with mock.patch("ceremony.pki.key_wrapping.USUAL_WORK", Work(1 << 10, 8, 1)):
        yield


@pytest.mark.usefixtures("stretched_little")
@pytest.mark.parametrize("passphrase", [b"x", b" ", "æøå 中".encode(), b"\xff\xfe", b"p" * LONGEST_SECRET])
def test_a_key_opens_with_its_passphrase_alone(passphrase: bytes) -> None:
    key = new_key("ec:secp256r1")
    pem = encrypted_pem(key, bytearray(passphrase))
    assert key_of(pem, bytearray(passphrase)).private_numbers() == key.private_numbers()
    for other in (passphrase + b"x", passphrase[:-1], passphrase + b"\n"):
        with pytest.raises(CeremonyError) as wrong:
            key_of(pem, bytearray(other))
        assert wrong.value.code == "PASSPHRASE-WRONG"


@pytest.mark.usefixtures("stretched_little")
@pytest.mark.parametrize("place", [0, 40, 150, 250, 300, 400])
def test_a_file_that_lost_an_octet_is_told_as_one_that_cannot_be_opened(place: int) -> None:
    pem = encrypted_pem(new_key("ec:secp384r1"), bytearray(PASSPHRASE.encode()))
    for broken in (pem[:place] + pem[place + 1 :], pem[:place] + b"~" + pem[place + 1 :], pem[:place]):
        with pytest.raises(CeremonyError) as told:
            key_of(broken, bytearray(PASSPHRASE.encode()))
        assert told.value.code in ("PASSPHRASE-WRONG", "FACTORY-BROKEN")


def test_a_passphrase_is_typed_twice_and_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "alpha"
    with terminal(tmp_path / "tmux", "factory", "request", "alpha.1", "-o", folder, "--subject", ALPHA) as tmux:
        tmux.until("New passphrase for the key of alpha.1:")
        tmux.type(PASSPHRASE)
        tmux.until("The same again:")
        assert processes_with(tmux.pids(), PASSPHRASE) == []
        tmux.type(PASSPHRASE)
        assert tmux.exit_code() == 0, tmux.screen()
        terminal_without(tmux, PASSPHRASE)
    pem = (folder / f"{read_factory(folder).name}.key.pem").read_bytes()
    assert key_of(pem, bytearray(PASSPHRASE.encode())).key_size == 384


def test_two_passphrases_that_differ_make_no_key(tmp_path: Path) -> None:
    with terminal(tmp_path / "tmux", "factory", "request", "alpha.1", "-o", tmp_path / "alpha", "--subject", ALPHA) as tmux:
        tmux.until("New passphrase for the key of alpha.1:")
        tmux.type(PASSPHRASE)
        tmux.until("The same again:")
        tmux.type(PASSPHRASE + "x")
        assert tmux.exit_code() == 2
        assert "PASSPHRASE-REFUSED" in tmux.screen()
    assert not (tmp_path / "alpha").exists()


def test_a_pin_is_asked_for_by_the_tokens_name_and_tries_and_not_shown(factory_token: FactoryToken, tmp_path: Path) -> None:
    options = ("--module", factory_token.module, "--token", factory_token.serial)
    line = ("factory", "request", "alpha.1", "-o", tmp_path / "alpha", "--subject", ALPHA, *options)
    with terminal(tmp_path / "tmux", *line, environ=factory_token.environ) as tmux:
        screen = tmux.until("says):")
        assert TOKEN in screen and factory_token.serial in screen
        tmux.type(PIN)
        assert tmux.exit_code() == 0, tmux.screen()
        terminal_without(tmux, PIN)
    assert read_factory(tmp_path / "alpha").key_type == "ec:secp384r1"
