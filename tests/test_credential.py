"""`ceremony credential`: a credential in a file or on a token, its card, and the passphrase kept to its owner."""

import json
import stat
from pathlib import Path

import pytest

from ceremony.activation.credential_file import credential_in, sign_with_file
from ceremony.activation.roster import signature_holds, words_of_credential
from hsm.errors import TokenError
from hsm.softhsm import find_softhsm
from tests.credentials import credential, write_credentials
from tests.e2e.commands import ceremony, done, refused
from tests.e2e.secrets_kept import files_with, processes_with, terminal_without
from tests.e2e.tmux import terminal
from tests.factory.given import PASSPHRASE, PIN, TOKEN, FactoryToken


def test_a_credential_in_a_file(tmp_path: Path) -> None:
    file, card = tmp_path / "eva.pem", tmp_path / "eva.pdf"
    with terminal(tmp_path / "tmux", "credential", "new", "Eva Lund", "-o", file, "--card", card) as tmux:
        tmux.until("New passphrase for the credential of Eva Lund:")
        tmux.type(PASSPHRASE)
        tmux.until("The same again:")
        assert processes_with(tmux.pids(), PASSPHRASE) == []
        tmux.type(PASSPHRASE)
        assert tmux.exit_code() == 0, tmux.screen()
        terminal_without(tmux, PASSPHRASE)
        text = credential_in(file.read_bytes())
        assert text in tmux.history() and " ".join(words_of_credential(text)[:4]) in tmux.history()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert signature_holds(text, b"said", sign_with_file(file.read_bytes(), bytearray(PASSPHRASE.encode()), b"said"))
    assert card.read_bytes().startswith(b"%PDF-")
    assert files_with(tmp_path, PASSPHRASE) == []
    again = ceremony("credential", "new", "Eva Lund", "-o", file)
    refused(again, 2, "FILE-EXISTS")


def test_a_short_passphrase_and_two_that_differ_make_none(tmp_path: Path) -> None:
    for number, typed in enumerate((["too short"], [PASSPHRASE, PASSPHRASE + "x"])):
        with terminal(tmp_path / f"tmux-{number}", "credential", "new", "Eva Lund", "-o", tmp_path / "eva.pem") as tmux:
            for passphrase, prompt in zip(typed, ("New passphrase", "The same again:"), strict=False):
                tmux.until(prompt)
                tmux.type(passphrase)
            assert tmux.exit_code() == 2
            assert "PASSPHRASE-REFUSED" in tmux.screen()
    assert not (tmp_path / "eva.pem").exists()


def test_the_card_of_a_file_once_more(tmp_path: Path) -> None:
    medium = write_credentials(tmp_path, "Eva Lund")
    shown = done("credential", "show", medium / "eva-lund.pem").out
    assert credential("Eva Lund") in shown
    told = json.loads(done("credential", "show", medium / "eva-lund.pem", "--json").out)
    assert told["words"] == words_of_credential(credential("Eva Lund"))
    (tmp_path / "empty.pem").write_bytes(b"")
    refused(ceremony("credential", "show", tmp_path / "empty.pem"), 1, "CREDENTIAL-BROKEN")
    refused(ceremony("credential", "show", tmp_path / "none.pem"), 2, "CREDENTIAL-NOT-FOUND")


def test_it_takes_a_person_and_one_place(tmp_path: Path) -> None:
    alone = ceremony("credential", "new", "Eva Lund", "-o", tmp_path / "eva.pem")
    refused(alone, 2, "SECRET-NEEDS-PERSON")
    assert "--passphrase-file" not in alone.err
    refused(ceremony("credential", "new", "Eva Lund"), 2, "USAGE")
    refused(ceremony("credential", "new", "Eva\nLund", "-o", tmp_path / "eva.pem"), 2, "USAGE")
    refused(ceremony("credential", "new", "Eva Lund", "-o", tmp_path / "eva.pem", "--module", "/m", "--token", "t"), 2, "USAGE")
    assert list(tmp_path.iterdir()) == []


def test_a_credential_on_a_token(tmp_path: Path) -> None:
    try:
        own = FactoryToken.made(find_softhsm(), tmp_path / "store")
    except TokenError as missing:
        pytest.skip(missing.what)
    line = ("credential", "new", "Eva Lund", "--module", own.module, "--token", TOKEN)
    with terminal(tmp_path / "tmux", *line, environ=own.environ) as tmux:
        tmux.until("says):")
        tmux.type(PIN)
        assert tmux.exit_code() == 0, tmux.screen()
        told = "".join(tmux.history().split())
        assert "ec:secp256r1:0" in told and "underthelabelroot-ceremony" in told
        terminal_without(tmux, PIN)
