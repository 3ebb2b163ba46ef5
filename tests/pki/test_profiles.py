import datetime as dt
import tomllib

import msgspec
import pytest
from cryptography import x509

from ceremony.errors import CeremonyError
from ceremony.pki.names import name_text, parse_name
from ceremony.pki.profiles import (
    CertificateProfile,
    ProfileTable,
    RootTable,
    intermediate_profile,
    proof_profile,
    root_profile,
)
from tests.pki import material

_ROOT = """
subject = "CN=Example Devices Root CA G1,O=Example,C=NO"
key = "ec:secp384r1"
label = "example-root-g1"
not_before = "ceremony-day"
not_after = 2046-11-19T00:00:00Z
path_length = 1
"""
_FACTORY = """
path_length = 0
not_after = 2031-11-19T00:00:00Z
extended_key_usage = ["clientAuth"]
subject = "CN=*,O=Example"
"""


def _utc(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=dt.UTC)


def _refusal(make, *arguments) -> str:
    with pytest.raises(CeremonyError) as refused:
        make(*arguments)
    return refused.value.code


def test_the_tables_of_the_design_are_read():
    assert msgspec.convert(tomllib.loads(_ROOT), RootTable) == material.ROOT_TABLE
    assert msgspec.convert(tomllib.loads(_FACTORY), ProfileTable) == material.FACTORY


@pytest.mark.parametrize(
    ("table", "change", "where"),
    [
        (RootTable, ("path_length = 1", "pathlength = 1"), "pathlength"),
        (RootTable, ("ec:secp384r1", "ec:secp256k1"), "key"),
        (RootTable, ("example-root-g1", "../root"), "label"),
        (RootTable, ("ceremony-day", "yesterday"), "not_before"),
        (RootTable, ("2046-11-19T00:00:00Z", "2046-11-19T00:00:00"), "not_after"),
        (RootTable, ("2046-11-19T00:00:00Z", "2046-11-19"), "not_after"),
        (RootTable, ("path_length = 1", "path_length = -1"), "path_length"),
        (ProfileTable, ("clientAuth", "anyExtendedKeyUsage"), "extended_key_usage"),
        (ProfileTable, ("subject", "keys = []\nsubject"), "keys"),
        (ProfileTable, ("subject", 'keys = ["rsa:1024"]\nsubject'), "keys"),
        (ProfileTable, ("not_after = 2031-11-19T00:00:00Z", ""), "not_after"),
    ],
)
def test_a_table_that_is_not_as_the_design_says_is_refused_by_its_key(table, change, where):
    text = (_ROOT if table is RootTable else _FACTORY).replace(*change)
    with pytest.raises(msgspec.ValidationError, match=where):
        msgspec.convert(tomllib.loads(text), table)


def test_the_root_begins_with_the_ceremonys_day_and_names_itself():
    profile = root_profile(material.ROOT_TABLE, material.DAY, False)
    assert (profile.not_before, profile.not_after) == (_utc(2026, 11, 24), _utc(2046, 11, 19))
    assert profile.issuer == profile.subject == parse_name(material.ROOT_TABLE.subject)
    assert profile.path_length == 1
    assert profile.key_usage == ("digitalSignature", "keyCertSign", "cRLSign")


def test_a_rehearsals_root_says_so_and_no_other_may():
    assert name_text(root_profile(material.ROOT_TABLE, material.DAY, True).subject).startswith("CN=REHEARSAL Example")
    posing = msgspec.structs.replace(material.ROOT_TABLE, subject="CN=REHEARSAL Root")
    for rehearsal in (False, True):
        assert _refusal(root_profile, posing, material.DAY, rehearsal) == "NAME-REFUSED"


def test_a_root_needs_a_common_name():
    assert _refusal(root_profile, msgspec.structs.replace(material.ROOT_TABLE, subject="O=Example"), material.DAY, False) == "NAME-REFUSED"


@pytest.mark.parametrize("end", [_utc(2026, 11, 24), _utc(2026, 11, 23), _utc(2046, 1, 1).replace(microsecond=1)])
def test_a_root_ends_after_its_beginning_at_a_whole_second(end):
    assert _refusal(root_profile, msgspec.structs.replace(material.ROOT_TABLE, not_after=end), material.DAY, False) == "PROFILE-DATES"


def test_an_end_with_another_offset_is_the_same_moment():
    end = dt.datetime(2046, 11, 19, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    profile = root_profile(msgspec.structs.replace(material.ROOT_TABLE, not_after=end), material.DAY, False)
    assert profile.not_after == _utc(2046, 11, 19)
    assert "not after: 2046-11-19T00:00:00Z (7300 days)" in profile.lines()


def test_an_intermediate_takes_from_its_root_what_points_to_it():
    profile = material.alpha(material.root())
    certificate = x509.load_der_x509_certificate(material.root())
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert profile.issuer == certificate.subject
    assert profile.issuer_key_identifier == identifier
    assert profile.issuer_public_key_der == material.spki(material.private_key("ec:secp384r1"))
    assert (profile.path_length, profile.extended_key_usage) == (0, ("clientAuth",))


@pytest.mark.parametrize(
    ("change", "day", "code"),
    [
        ({"not_after": _utc(2046, 11, 20)}, material.DAY, "PROFILE-DATES"),
        ({"not_after": _utc(2026, 11, 24)}, material.DAY, "PROFILE-DATES"),
        ({}, dt.date(2026, 11, 23), "PROFILE-DATES"),
        ({}, dt.date(2031, 11, 19), "PROFILE-DATES"),
        ({"path_length": 1}, material.DAY, "PROFILE-PATH"),
    ],
)
def test_an_intermediate_stays_within_its_root(change, day, code):
    table = msgspec.structs.replace(material.FACTORY, **change)
    assert _refusal(intermediate_profile, table, parse_name("CN=a,O=Example"), material.root(), day) == code


def test_an_intermediate_may_end_with_its_root():
    table = msgspec.structs.replace(material.FACTORY, not_after=material.ROOT_TABLE.not_after)
    profile = intermediate_profile(table, parse_name("CN=a"), material.root(), material.DAY)
    assert profile.not_after == material.ROOT_TABLE.not_after


@pytest.mark.parametrize("subject", [material.ROOT_TABLE.subject, material.ROOT_TABLE.subject.replace("Example", "EXAMPLE")])
def test_an_intermediate_may_not_bear_its_roots_name(subject):
    assert _refusal(intermediate_profile, material.FACTORY, parse_name(subject), material.root(), material.DAY) == "NAME-REFUSED"


def test_a_plan_is_made_from_the_roots_profile_before_there_is_a_root():
    planned = root_profile(material.ROOT_TABLE, material.DAY, False)
    for profile in (
        intermediate_profile(material.FACTORY, parse_name("CN=alpha.1,O=Example"), planned, material.DAY),
        proof_profile(material.CODE, planned, material.DAY),
    ):
        assert profile.issuer == planned.subject
        assert profile.issuer_public_key_der is None
    table = msgspec.structs.replace(material.FACTORY, not_after=_utc(2050, 1, 1))
    assert _refusal(intermediate_profile, table, parse_name("CN=a"), planned, material.DAY) == "PROFILE-DATES"


def test_a_proof_is_for_the_code_byte_for_byte_and_thirty_days():
    profile = material.proof(material.root())
    (attribute,) = profile.subject
    assert attribute.value == material.CODE
    assert profile.path_length is None
    assert profile.not_after - profile.not_before == dt.timedelta(days=30)


def test_a_proof_never_outlives_the_root():
    profile = proof_profile(material.CODE, material.root(), dt.date(2046, 11, 1))
    assert profile.not_after == material.ROOT_TABLE.not_after
    assert _refusal(proof_profile, material.CODE, material.root(), dt.date(2046, 11, 19)) == "PROFILE-DATES"


@pytest.mark.parametrize("code", ["", " ", "a b", "a\n", "x" * 65, "ø", "a\u202e", "\x7f"])
def test_a_code_that_is_not_printable_is_refused(code):
    assert _refusal(proof_profile, code, material.root(), material.DAY) == "PROOF-CODE"


@pytest.mark.parametrize("code", ["a,b=c+d", "#00", "\\", "x" * 64, "CN=a", "!~"])
def test_a_code_is_not_read_as_a_name(code):
    (attribute,) = proof_profile(code, material.root(), material.DAY).subject
    assert attribute.value == code


def test_what_is_no_root_issues_nothing():
    leaf = material.issue(material.proof(material.root()), material.private_key("ec:secp256r1"), material.private_key("ec:secp384r1"))
    for not_a_root in (b"", b"no certificate", leaf):
        assert _refusal(proof_profile, material.CODE, not_a_root, material.DAY) == "PROFILE-ISSUER"


def test_a_path_length_has_no_room_below_an_intermediate():
    intermediate = material.issue(
        material.alpha(material.root()), material.private_key("ec:secp256r1"), material.private_key("ec:secp384r1")
    )
    assert _refusal(intermediate_profile, material.FACTORY, parse_name("CN=b"), intermediate, material.DAY) == "PROFILE-PATH"


def test_profiles_are_values():
    assert material.alpha(material.root()) == material.alpha(material.root())
    assert isinstance(material.alpha(material.root()), CertificateProfile)
