from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.errors import CeremonyError
from ceremony.machine.site import LARGEST_SITE_FILE, CredentialToken, Site, parse_site, read_site
from ceremony.words import sha256_hex

WHOLE = b"""
format = 1
[module]
path = "/usr/lib/softhsm/libsofthsm2.so"
environment = { SOFTHSM2_CONF = "/etc/softhsm/softhsm2.conf" }
[tokens]
primary = "1234 abcd"
backup = "5678"
[media]
inbox = "/media/in"
outbox = "/media/out"
credentials = "/media/own"
[credentials.witness-1]
module = "/usr/lib/other/libother.so"
token = "Eva Lund"
"""


def problems(octets):
    with pytest.raises(CeremonyError) as refused:
        parse_site(octets)
    assert refused.value.exit_code == 2
    return refused.value.code, refused.value.what


def test_a_whole_site_file(tmp_path):
    (tmp_path / "site.toml").write_bytes(WHOLE)
    site = read_site(tmp_path / "site.toml")
    assert site == Site(
        module=Path("/usr/lib/softhsm/libsofthsm2.so"),
        tokens={"primary": "1234 abcd", "backup": "5678"},
        inbox=Path("/media/in"),
        outbox=Path("/media/out"),
        credentials_medium=Path("/media/own"),
        credentials={"witness-1": CredentialToken(Path("/usr/lib/other/libother.so"), "Eva Lund")},
        environment={"SOFTHSM2_CONF": "/etc/softhsm/softhsm2.conf"},
        octets=WHOLE,
    )
    assert site.sha256 == sha256_hex(WHOLE)


def test_no_site_file_and_the_empty_file_that_a_ceremony_keeps_of_it():
    assert read_site(None) == parse_site(b"") == Site()
    assert read_site(None).sha256 == sha256_hex(b"")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CeremonyError) as refused:
        read_site(tmp_path / "nowhere.toml")
    assert refused.value.code == "SITE-UNREADABLE"


@pytest.mark.parametrize(
    "octets", [b"format = ", b"format = 1\nformat = 1", b"\xff\xfe", b"[tokens]\nprimary = '1'\n[tokens]\n", b"#" * (LARGEST_SITE_FILE + 1)]
)
def test_what_is_not_toml_is_refused(octets):
    assert problems(octets)[0] == "SITE-BROKEN"


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"format = 2", "format must be 1"),
        (b"format = true", "format must be 1"),
        (b"[media]", "format must be 1"),
        (b"format = 1\n[modul]", "unknown key modul (nearest: module)"),
        (b"format = 1\n[tokens]\nprimry = '1'", "unknown key tokens.primry (nearest: primary)"),
        (b"format = 1\n[module]\npath = '/m.so'\nenvironment = { LD_PRELOAD = '/x' }", "unknown key module.environment.LD_PRELOAD (known:"),
        (b"format = 1\n[media]\n\"\\u001b[2J\" = '/x'", "unknown key media.\\u{1B}[2J"),
        (b"format = 1\n[module]", "module.path is missing"),
        (b"format = 1\nmodule = '/m.so'", "module must be a table"),
        (b"format = 1\n[module]\npath = 'm.so'", "module.path must be a whole path"),
        (b"format = 1\n[media]\ninbox = 7", "media.inbox must be a text"),
        (b"format = 1\n[media]\ninbox = \"/a\\nb\"", "media.inbox must be a text of printable characters"),
        (b"format = 1\n[tokens]\nprimary = '12345678901234567'", "tokens.primary must be a serial"),
        (b"format = 1\n[tokens]\nprimary = ''", "tokens.primary must be a serial"),
        (b"format = 1\n[tokens]\nprimary = '1'\nbackup = '1'", "one serial stands under two names"),
        (b"format = 1\ncredentials = 1", "credentials must be a table of tables"),
        (b"format = 1\n[credentials]\neva = 1", "credentials.eva must be a table"),
        (b"format = 1\n[credentials.eva]\nmodule = '/m.so'", "credentials.eva needs module (a whole path) and token"),
        (b"format = 1\n[credentials.eva]\nmodule = '/m.so'\ntokn = 'x'", "unknown key credentials.eva.tokn"),
    ],
)
def test_each_mistake_is_named(octets, told):
    code, what = problems(octets)
    assert code == "SITE-INVALID"
    assert told in what


def test_all_mistakes_are_told_at_once():
    what = problems(b"format = 3\nmodul = 1\n[tokens]\nprimary = 1\n[media]\ninbox = 'x'")[1]
    assert all(told in what for told in ("format", "modul ", "tokens.primary", "media.inbox"))


@given(st.binary(max_size=200) | st.text(alphabet="format=1[]modulepathkens\n'\". {}", max_size=80).map(str.encode))
def test_any_bytes_are_a_site_or_one_of_our_errors(octets):
    try:
        site = parse_site(octets)
    except CeremonyError as error:
        assert error.code in {"SITE-BROKEN", "SITE-INVALID"}
    else:
        assert site.octets == octets
