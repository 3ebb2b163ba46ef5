"""Distinguished names that people can read aloud, and the one function through which foreign text is shown.

Names are written as RFC 4514 says: the last relative name of the DER first, so `CN=…,O=…,C=…`.
"""

import re
import unicodedata
from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from ceremony.errors import CeremonyError

_SERIAL_NUMBER = {"SERIALNUMBER": NameOID.SERIAL_NUMBER}
_SERIAL_NUMBER_TEXT = {NameOID.SERIAL_NUMBER: "SERIALNUMBER"}

LONGEST = {
    NameOID.COMMON_NAME: 64,
    NameOID.ORGANIZATION_NAME: 64,
    NameOID.ORGANIZATIONAL_UNIT_NAME: 64,
    NameOID.LOCALITY_NAME: 128,
    NameOID.STATE_OR_PROVINCE_NAME: 128,
    NameOID.COUNTRY_NAME: 2,
    NameOID.SERIAL_NUMBER: 64,
}
"""The attributes a name may have, and their upper bounds (RFC 5280 appendix A.1, ub-…), here in bytes of UTF-8."""

_TAKEN_STRINGS = (_ASN1Type.UTF8String, _ASN1Type.PrintableString)
"""RFC 5280 section 4.1.2.4: the others are there for old certificates alone."""

_WRITTEN_TOGETHER = ({"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "HANGUL"})
_REHEARSAL = "REHEARSAL"
# Commas and pluses that no backslash precedes stand between the parts of a name (RFC 4514 section 2).
_BETWEEN = re.compile(r"(?<!\\)[,+]")


def shown_text(text: str) -> str:
    """`text` as it may stand on a screen and on paper: whatever is not printable ASCII becomes `\\u{HEX}`.

    Every text that came from a medium or from a file somebody brought goes through here: no escape
    sequence, control, look-alike letter or change of direction gets out. Twice is the same as once.
    """
    # Of ASCII, Python calls exactly " " to "~" printable.
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if " " <= character <= "~" else f"\\u{{{ord(character):X}}}" for character in text)


def parse_name(text: str) -> x509.Name:
    """The name that an RFC 4514 string writes; strings are UTF8String, the country PrintableString.

    Raises CeremonyError NAME-REFUSED for what is not such a string and for every problem of `problems_with_name`.
    """
    try:
        name = x509.Name.from_rfc4514_string(text, _SERIAL_NUMBER)
    except (ValueError, IndexError) as broken:
        why = str(broken) or "it is not written as attributes such as CN=…,O=…,C=…"
        raise CeremonyError("NAME-REFUSED", f"The name '{shown_text(text)}' cannot be used: {shown_text(why)}.") from broken
    problems = problems_with_name(name)
    if problems:
        raise CeremonyError("NAME-REFUSED", f"The name '{shown_text(text)}' cannot be used: {'; '.join(problems)}.")
    return name


def name_text(name: x509.Name) -> str:
    """The name as RFC 4514 writes it. It goes through `shown_text` before anybody sees it."""
    return name.rfc4514_string(_SERIAL_NUMBER_TEXT)


def name_parts(text: str) -> frozenset[str]:
    """The parts of a name in a service's text of it, without regard to their order and the space between: two writers differ in these."""
    return frozenset(part.strip() for part in _BETWEEN.split(text))


def problems_with_name(name: x509.Name) -> list[str]:
    """Why this name is not taken, each in words that may be shown; nothing when all is well.

    Taken are non-empty names of the attributes in LONGEST, one a relative name, each of printable ASCII
    or of the letters of one script, in the composed form (Unicode NFKC).
    """
    if not name.rdns:
        return ["it is empty"]
    problems = [problem for relative in name.rdns for problem in _problems_with_relative_name(relative)]
    if len(name.get_attributes_for_oid(NameOID.COMMON_NAME)) > 1:
        problems.append("CN stands more than once")
    return problems


def _problems_with_relative_name(relative: x509.RelativeDistinguishedName) -> Iterator[str]:
    if len(relative) > 1:
        yield f"{shown_text(relative.rfc4514_string())} joins several attributes"
    for attribute in relative:
        label = _label(attribute)
        longest = LONGEST.get(attribute.oid)
        if longest is None:
            yield f"the attribute {label} is not taken (those taken: CN, O, OU, L, ST, C, SERIALNUMBER)"
        elif isinstance(attribute.value, bytes) or attribute._type not in _TAKEN_STRINGS:
            yield f"{label} is encoded as {attribute._type.name}; taken are UTF8String and PrintableString"
        else:
            yield from (f"{label} {problem}" for problem in _problems_with_value(attribute.value, longest))


def _problems_with_value(value: str, longest: int) -> Iterator[str]:
    length = len(value.encode(errors="surrogatepass"))
    if not value:
        yield "is empty"
    if length > longest:
        yield f"has {length} bytes, more than {longest}"
    if value != value.strip() or "  " in value:
        yield "has a space at an end, or two in a row"
    if value != unicodedata.normalize("NFKC", value):
        yield "is not in the composed form (Unicode NFKC)"
    strange = sorted({character for character in value if not _is_plain(character)})
    if strange:
        yield f"holds what is no letter and not printable ASCII: {shown_text(' '.join(strange))}"
    scripts = scripts_in(value)
    if len(scripts) > 1:
        yield f"mixes the letters of {' and '.join(sorted(scripts))}"


def _is_plain(character: str) -> bool:
    return " " <= character <= "~" or unicodedata.category(character)[0] in "LM"


def scripts_in(text: str) -> set[str]:
    """The scripts of the letters in a text (`LATIN`, `GREEK`, ...); those that are written together count as one."""
    scripts = {_script(character) for character in text if character.isalpha()}
    return {" ".join(sorted(scripts))} if any(scripts <= together for together in _WRITTEN_TOGETHER) else scripts


def _script(letter: str) -> str:
    # The standard library has no script property; the first word of a letter's name is its script.
    return unicodedata.name(letter, "UNKNOWN").replace("-", " ").split()[0]


def name_matches(name: x509.Name, pattern: str) -> list[str]:
    """How a name differs from a pattern such as `CN=*,O=Example`; nothing when it does not.

    Attributes are the same, in the same order; a value `*` stands for any that is not empty. Raises
    CeremonyError NAME-REFUSED for a pattern that is no name.
    """
    wanted, found = _attributes(parse_name(pattern)), _attributes(name)
    if [label for label, _ in wanted] != [label for label, _ in found]:
        has = ", ".join(label for label, _ in found) or "no attribute"
        return [f"the name has {has}; the pattern {shown_text(pattern)} wants {', '.join(label for label, _ in wanted)}"]
    return [
        f"{label} is '{shown_text(value)}'; the pattern wants '{shown_text(expected)}'"
        for (label, expected), (_, value) in zip(wanted, found, strict=True)
        if value != expected and (expected != "*" or not value)
    ]


def _attributes(name: x509.Name) -> list[tuple[str, str]]:
    """Label and value of each attribute, in the order they are written; `+` stands before what is joined to the one before."""
    return [
        ("+" * (place > 0) + _label(attribute), str(attribute.value))
        for relative in reversed(name.rdns)
        for place, attribute in enumerate(relative)
    ]


def _label(attribute: x509.NameAttribute[str | bytes]) -> str:
    return _SERIAL_NUMBER_TEXT.get(attribute.oid, attribute.rfc4514_attribute_name)


def rehearsal_name(name: x509.Name) -> x509.Name:
    """The same name, its CN beginning with REHEARSAL and cut to what a CN may hold. Twice is the same as once.

    A name without a CN gets the CN REHEARSAL.
    """
    if not name.get_attributes_for_oid(NameOID.COMMON_NAME):
        return x509.Name([*name.rdns, x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, _REHEARSAL)])])
    return x509.Name(x509.RelativeDistinguishedName(_rehearsal_attribute(attribute) for attribute in relative) for relative in name.rdns)


def is_rehearsal_name(name: x509.Name) -> bool:
    """Whether a CN of this name says REHEARSAL, as `rehearsal_name` writes it."""
    values = [str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return any(value == _REHEARSAL or value.startswith(f"{_REHEARSAL} ") for value in values)


def _rehearsal_attribute(attribute: x509.NameAttribute[str | bytes]) -> x509.NameAttribute[str | bytes]:
    if attribute.oid != NameOID.COMMON_NAME:
        return attribute
    value = str(attribute.value)
    if value != _REHEARSAL and not value.startswith(f"{_REHEARSAL} "):
        value = f"{_REHEARSAL} {value}".encode()[: LONGEST[NameOID.COMMON_NAME]].decode(errors="ignore").rstrip()
    return x509.NameAttribute(attribute.oid, value)
