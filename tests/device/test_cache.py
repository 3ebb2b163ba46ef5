"""The cache file: what is written is read again, and whatever else lies there is told as damaged, never believed."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.canonical import canonical_json
from ceremony.device.cache import Damaged, Registration, Wanted, decoded, difference, read_cache, set_aside, write_cache
from ceremony.errors import CeremonyError

KEPT = Registration(
    "global.azure-devices-provisioning.net", "0ne00000A0A", "dev-1", "example-hub.azure-devices.net", "dev-1", "initialAssignment",
    "ab" * 32, "2026-11-24T02:05:43Z",
)  # fmt: skip
WANTED = Wanted("ab" * 32, "dev-1")


def test_it_is_written_whole_and_read_again(tmp_path: Path):
    path = tmp_path / "dev-1.registration.json"
    assert read_cache(path) is None
    write_cache(path, dataclasses.replace(KEPT, substatus=""))
    write_cache(path, KEPT)
    assert read_cache(path) == KEPT
    assert path.read_bytes() == canonical_json(KEPT.as_json()) + b"\n"
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    with pytest.raises(CeremonyError) as full:
        write_cache(Path("/dev/null/x"), KEPT)
    assert full.value.code == "DEVICE-CACHE"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2}, {"format": True}, {"format": "1"}, {"more": 1}, {"assignedHub": "hub/../x"}, {"assignedHub": "hub:8883"},
        {"assignedHub": ""}, {"deviceId": "dev 1"}, {"idScope": "0ne/"}, {"leafSha256": "AB" * 32}, {"leafSha256": 1},
        {"registeredAt": "yesterday"}, {"registeredAt": "2026-11-24T02:05:43"}, {"substatus": "\x1b"}, {"host": "-"},
        {"registrationId": None},
    ],
)  # fmt: skip
def test_a_member_that_cannot_be_right_makes_it_damaged(change):
    assert isinstance(decoded(canonical_json(KEPT.as_json() | change)), Damaged)
    assert decoded(canonical_json(KEPT.as_json())) == KEPT


@pytest.mark.parametrize("name", KEPT.as_json())
def test_a_member_that_is_missing_makes_it_damaged(name):
    assert isinstance(decoded(canonical_json({key: value for key, value in KEPT.as_json().items() if key != name})), Damaged)


def test_bytes_that_are_no_cache():
    whole = canonical_json(KEPT.as_json())
    twice = whole.replace(b'"format":1', b'"format":1,"format":1')
    for octets in (
        b"",
        b"\n",
        b"[]",
        b"null",
        b"1" * 5000,
        b"[" * 100_000,
        whole[:-1],
        whole + b"\n\n",
        twice,
        json.dumps(KEPT.as_json()).encode(),
    ):
        assert isinstance(decoded(octets), Damaged), octets[:40]


@given(octets=st.binary(max_size=400))
def test_any_bytes_at_all(octets: bytes):
    found = decoded(octets)
    assert isinstance(found, Damaged) and found.why.isascii() and found.why.isprintable()


@given(place=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_flipped_bit_is_seen_or_still_a_registration_of_that_form(place: int, bit: int):
    octets = bytearray(canonical_json(KEPT.as_json()) + b"\n")
    octets[place % len(octets)] ^= 1 << bit
    found = decoded(bytes(octets))
    if isinstance(found, Registration):
        assert canonical_json(found.as_json()) == bytes(octets).removesuffix(b"\n")


def test_whose_it_is():
    assert difference(KEPT, WANTED) == ""
    assert difference(KEPT, Wanted("ab" * 32, "DEV-1", "0ne00000A0A", "Global.Azure-Devices-Provisioning.net")) == ""
    for wanted, says in (
        (Wanted("cd" * 32, "dev-1"), "another certificate"),
        (Wanted("ab" * 32, "dev-2"), "registration id dev-1"),
        (Wanted("ab" * 32, "dev-1", "0ne00B"), "id scope"),
        (Wanted("ab" * 32, "dev-1", None, "127.0.0.1"), "given out by"),
    ):
        assert says in difference(KEPT, wanted)


def test_damaged_ones_are_all_kept(tmp_path: Path):
    path = tmp_path / "cache"
    for number in (1, 2, 3):
        path.write_text(str(number))
        assert set_aside(path).read_text() == str(number)
    assert sorted(found.name for found in tmp_path.iterdir()) == [f"cache.damaged-{number}" for number in (1, 2, 3)]
