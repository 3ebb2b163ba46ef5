import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ceremony.errors import CeremonyError
from ceremony.pki.names import (
    is_rehearsal_name,
    name_matches,
    name_text,
    parse_name,
    problems_with_name,
    rehearsal_name,
    shown_text,
)

_ANY_TEXT = st.text(st.characters(codec=None, categories=None))  # lone surrogates too


@given(_ANY_TEXT)
def test_shown_text_is_printable_ascii_and_twice_is_once(text):
    shown = shown_text(text)
    assert all(" " <= character <= "~" for character in shown)
    assert shown_text(shown) == shown


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_shown_text_leaves_printable_ascii_alone(text):
    assert shown_text(text) == text


def test_shown_text_shows_what_hides():
    assert shown_text("a\x1b[2J\u202eb\nø\U0001f600\ud800") == r"a\u{1B}[2J\u{202E}b\u{A}\u{F8}\u{1F600}\u{D800}"


@pytest.mark.parametrize(
    "text",
    [
        "CN=Example Devices Root CA G1,O=Example,C=NO",
        "CN=a\\,b\\+c,OU=x,OU=y,L=Oslo,ST=Oslo,SERIALNUMBER=12",
        "CN=Ærlig Ånd,O=Øst",
        "CN=Пример",
        "CN=東京スズキ",
    ],
)
def test_a_plain_name_comes_back_as_it_was_written(text):
    assert name_text(parse_name(text)) == text


def test_a_name_is_encoded_country_first_as_rfc_4514_wants():
    assert [relative.rfc4514_string() for relative in parse_name("CN=a,O=b,C=NO").rdns] == ["C=NO", "O=b", "CN=a"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("nothing", "attributes"),
        ("CN=", "length"),
        ("CN=" + "a" * 65, "64"),
        ("C=NOR", "2"),
        ("FOO=a", "attributes"),
        ("CN=a,DC=example", "DC is not taken"),
        ("CN=a,1.2.840.113549.1.9.1=a@b", "not taken"),
        ("CN=a+O=b", "joins"),
        ("CN=a,CN=b", "more than once"),
        ("CN=a\\0Ab", r"\u{A}"),
        ("CN=a\\1B[2J", r"\u{1B}"),
        ("CN=a\u202eb", r"\u{202E}"),
        ("CN=a\u200bb", r"\u{200B}"),
        ("CN=a\u2066b", r"\u{2066}"),
        ("CN=\u0415xample", "CYRILLIC and LATIN"),
        ("CN=\u0395xample", "GREEK and LATIN"),
        ("CN=a\u00a0b", "NFKC"),
        ("CN=e\u0301", "NFKC"),
        ("CN=\ufb01ne", "NFKC"),
        ("CN=a\u2013b", r"\u{2013}"),
        ("CN=a  b", "two in a row"),
        ("CN=\\ a", "space"),
        ("CN=a\ud800", r"\u{D800}"),
        ("CN=#04026162", ""),
    ],
)
def test_a_name_that_is_not_plain_is_refused_and_shown_escaped(text, why):
    with pytest.raises(CeremonyError) as refused:
        parse_name(text)
    assert refused.value.code == "NAME-REFUSED"
    assert why in refused.value.what
    assert refused.value.what.isascii()


@given(st.one_of(_ANY_TEXT, st.builds("CN={}".format, _ANY_TEXT), st.builds("CN={},O={}".format, _ANY_TEXT, _ANY_TEXT)))
def test_whatever_is_typed_is_a_name_without_problems_or_refused(text):
    try:
        name = parse_name(text)
    except CeremonyError as refused:
        assert refused.code == "NAME-REFUSED"
        assert refused.what.isascii()
    else:
        assert problems_with_name(name) == []
        assert parse_name(name_text(name)) == name


def test_old_string_types_are_refused():
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a", x509.name._ASN1Type.T61String)])
    assert problems_with_name(name) == ["CN is encoded as T61String; taken are UTF8String and PrintableString"]


@pytest.mark.parametrize(
    ("text", "pattern", "fits"),
    [
        ("CN=alpha.1,O=Example", "CN=*,O=Example", True),
        ("CN=alpha.1,O=Example", "CN=alpha.1,O=Example", True),
        ("CN=alpha.1,O=example", "CN=*,O=Example", False),
        ("CN=alpha.1", "CN=*,O=Example", False),
        ("O=Example,CN=alpha.1", "CN=*,O=Example", False),
        ("CN=alpha.1,O=Example,C=NO", "CN=*,O=Example", False),
        ("CN=alpha.1,O=Example+L=Oslo", "CN=*,O=Example", False),
        ("CN=alpha.1+O=Example", "CN=*,O=Example", False),
        ("CN=alpha.1,SERIALNUMBER=1", "CN=*,SERIALNUMBER=*", True),
    ],
)
def test_a_pattern_wants_the_same_attributes_in_the_same_order(text, pattern, fits):
    name = x509.Name.from_rfc4514_string(text, {"SERIALNUMBER": NameOID.SERIAL_NUMBER})
    assert (name_matches(name, pattern) == []) == fits


def test_an_empty_name_fits_no_pattern():
    assert name_matches(x509.Name([]), "CN=*") == ["the name has no attribute; the pattern CN=* wants CN"]


def test_a_star_does_not_stand_for_an_empty_value():
    with pytest.warns(UserWarning, match="length"):
        nothing = x509.NameAttribute(NameOID.COMMON_NAME, "", _validate=False)
    assert name_matches(x509.Name([nothing]), "CN=*") == ["CN is ''; the pattern wants '*'"]
    assert problems_with_name(x509.Name([nothing])) == ["CN is empty"]


def test_a_pattern_that_is_no_name_is_refused():
    with pytest.raises(CeremonyError, match="cannot be used"):
        name_matches(parse_name("CN=a"), "*")


@pytest.mark.parametrize(
    ("text", "rehearsed"),
    [
        ("CN=Root,O=Example", "CN=REHEARSAL Root,O=Example"),
        ("O=Example", "CN=REHEARSAL,O=Example"),
        ("CN=" + "x" * 64, "CN=REHEARSAL " + "x" * 54),
        ("CN=" + "ø" * 32, "CN=REHEARSAL " + "ø" * 27),
        ("CN=REHEARSALS", "CN=REHEARSAL REHEARSALS"),
        ("CN=" + "x" * 53 + " yy", "CN=REHEARSAL " + "x" * 53),
    ],
)
def test_a_rehearsal_says_so_in_the_name_once(text, rehearsed):
    name = rehearsal_name(parse_name(text))
    assert name_text(name) == rehearsed
    assert rehearsal_name(name) == name
    assert problems_with_name(name) == []
    assert is_rehearsal_name(name)
    assert not is_rehearsal_name(parse_name(text))


def test_a_space_is_a_character_of_a_name_like_others():
    assert problems_with_name(parse_name("CN=alpha 1 ~ O")) == []
