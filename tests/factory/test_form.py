"""The paper form: the words in the right order, one page, and commands that do what it says."""

import re
import subprocess
from html import unescape
from pathlib import Path

import pytest

from ceremony.factory.folder import FactoryFile, FileKey, TokenKey
from ceremony.factory.form import LONGEST_LINE, form_of
from ceremony.factory.request import LONGEST_LABEL
from ceremony.report.blocks import Typed
from ceremony.report.html import render_html
from ceremony.report.typeset import render_pdf
from ceremony.words import grouped, words_of
from hsm.facts import TokenInfo
from tests.factory.given import ALPHA, factory_in_file
from tests.report.reading import text_of

DIGEST = bytes(range(32)).hex()
TOKEN = TokenInfo(
    label="factory-1", serial="00c0ffee", manufacturer="Example", model="Key 5", hardware_version="1.0", firmware_version="5.7", flags=(),
    initialised=True, user_pin_set=True, pin_tries="ok", so_pin_tries="ok", shortest_pin=6, longest_pin=8, pin_alphabet="alphanumeric",
    locks_after=None, protected_path=False, software=False, profile="strict",
)  # fmt: skip
ON_TOKEN = TokenKey("/x.so", "00c0ffee", "alpha.1", "0a" * 16)
HOSTILE = "\x1b[31m\u202e<b>#panic(1)$*_`\\@</b>\xe9\u4e2d\n"


def file(name: str = "alpha.1", subject: str = ALPHA, key: FileKey | TokenKey = ON_TOKEN) -> FactoryFile:
    return FactoryFile(1, name, subject, "ec:secp384r1", key, DIGEST, "2026-11-24T09:00:00Z")


def pages(pdf: bytes) -> int:
    [count] = re.findall(rb"/Count (\d+)", pdf)
    return int(count)


def test_it_says_what_two_people_type_and_who_vouches_for_what() -> None:
    content = form_of(file(), TOKEN, "Hall A, line 1")
    first, second = (block for block in content.blocks if isinstance(block, Typed))
    words = words_of(DIGEST)
    assert ("first person" in first.label, " ".join(first.lines).split()) == (True, words[:8])
    assert ("second person" in second.label, " ".join(second.lines).split()) == (True, words[8:16])
    text = text_of(content)
    for part in (
        " ".join(words[16:]), grouped(DIGEST), ALPHA, "Hall A, line 1", "2026-11-24T09:00:00Z", "ec:secp384r1", "serial 00c0ffee",
        "'factory-1'", "Example Key 5", "0a" * 16, "TRAVELS APART FROM THE MEDIUM", "Signature", "Date and time", "Vouches for this key",
    ):  # fmt: skip
        assert part in text
    assert "SOFTWARE" not in text
    assert "software" in text_of(form_of(file(key=FileKey("alpha.1.key.pem")), None, ""))
    assert "____" in text_of(form_of(file(), TOKEN, ""))


@pytest.mark.parametrize("rsa", [False, True])
def test_the_longest_of_everything_still_fits_one_page(rsa: bool) -> None:
    long = "\u0416" * 32
    subject = f"CN={long},OU={long},O={'W' * 64},L={long}"
    label = "W" * (LONGEST_LABEL if rsa else 1)
    pdf = render_pdf(form_of(file("a" * 56, subject, TokenKey("/x.so", "0" * 16, label, "0a" * 16)), TOKEN, "W" * LONGEST_LINE))
    assert pages(pdf) == 1


def test_foreign_text_is_only_ever_text() -> None:
    content = form_of(file(subject=HOSTILE), TOKEN, HOSTILE)
    page = render_html(content)
    assert page.isascii() and b"<b>" not in page
    assert page.count(rb"\u{1B}[31m\u{202E}") == 2
    assert pages(render_pdf(content)) == 1


def test_the_commands_on_the_form_give_the_digest_on_the_form(tmp_path: Path) -> None:
    factory = factory_in_file(tmp_path / "alpha")
    page = unescape((factory.folder / "alpha.1.form.html").read_text())
    commands = re.findall(r"openssl req[^\n<]*", page)
    assert len(commands) == 2
    verified, digest = (
        subprocess.run(line, shell=True, cwd=factory.folder, capture_output=True, text=True, check=True) for line in commands
    )
    assert "verify OK" in verified.stdout + verified.stderr
    assert digest.stdout.split()[0] == factory.spki_sha256
    assert grouped(factory.spki_sha256) in page
