"""The ids of an order: what is taken, what is told of the rest, and how they become files and shares."""

import codecs
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.errors import CeremonyError
from ceremony.factory.id_lists import LONGEST_LINE, ask_for_count, ask_for_file
from ceremony.factory.order import MOST_TOLD, Asked, Refused
from ceremony.factory.registration_ids import LONGEST_ID, file_stem, id_of_stem, problem_with_id
from ceremony.factory.shards import WHOLE, Shard, read_shard
from tests.e2e.commands import refused
from tests.factory.issuing import accepted_in_file, issued

IDS = st.text("ABCabc019-._:", min_size=1, max_size=LONGEST_ID).filter(lambda text: not problem_with_id(text))


def asked_for(tmp_path: Path, octets: bytes) -> tuple[list[str], list[str]]:
    """The ids that a file gives, and what is told of the rest."""
    path = tmp_path / "ids"
    path.write_bytes(octets)
    with Asked(WHOLE) as asked:
        ask_for_file(asked, path)
        return [one.registration_id for batch in asked.batches(3) for one in batch], asked.problems.told


@pytest.mark.parametrize(
    "octets",
    [
        b"dev-1\ndev-2\nDEV_3:x.y\n",
        b"dev-1\r\ndev-2\r\nDEV_3:x.y",
        codecs.BOM_UTF8 + b"dev-1\ndev-2\nDEV_3:x.y\n\n\r\n\n",
        b"registration_id\ndev-1\ndev-2\nDEV_3:x.y\n",
        b"id\r\ndev-1\r\ndev-2\r\nDEV_3:x.y\r\n",
        codecs.BOM_UTF8 + b'"Registration_ID"\r\ndev-1\r\n"dev-2"\r\nDEV_3:x.y\r\n',
        b'line,registration_id,id\n7,dev-1,x\n7,dev-2,y\n"7,\nor 8",DEV_3:x.y,z\n',
        b"id;made\ndev-1;1\ndev-2;2\nDEV_3:x.y;3\n",
        b"made\tid\n1\tdev-1\n2\tdev-2\n3\tDEV_3:x.y\n",
    ],
)
def test_lists_in_the_forms_that_people_have(tmp_path: Path, octets: bytes) -> None:
    assert asked_for(tmp_path, octets) == (["dev-1", "dev-2", "DEV_3:x.y"], [])


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"a\n\n\nb\n", ["line 2: is empty, and 1 after it"]),
        (b"a\nb \n", ["line 2: 'b ' has characters other than letters, digits and - . _ : (a space)"]),
        (b"a\n" + b"x" * 65 + b"\n", [f"line 2: '{'x' * 65}' has 65 characters, more than 64"]),
        (b"a\nb.\nc:\nd_\ne-\n", [f"line {n}: '{x}' ends with {x[1]}; the last" for n, x in ((2, "b."), (3, "c:"), (4, "d_"))]),
        (b"a\nb\na\n", ["line 3: 'a' stands at line 1 already"]),
        (b"dev-A\ndev-a\n", ["line 2: 'dev-a' stands at line 1 already, in other letters ('dev-A')"]),
        ("å\n".encode(), ["line 1: '\\u{E5}' has characters other"]),
        ("a\ndåv\n".encode("latin-1"), ["line 2: is not UTF-8"]),
        ("a\nb\n".encode("utf-16"), ["line 1: begins like UTF-16"]),
        (b"a\rb\rc\r", ["line 1: 'a\\u{D}b\\u{D}c' has characters other"]),
        (b"a\n\x1b[2J\n", ["line 2: '\\u{1B}[2J' has characters other"]),
        (b"serial,name\n1,a\n", ["line 1: has no column registration_id or id, but: serial, name"]),
        (b"device_id\na\na\n", ["line 1: 'device_id' looks like a header, but of no column", "line 3: 'a' stands at line 2"]),
        (b'"Serial Number"\n', ["line 1: '\"Serial Number\"' looks like a header"]),
        (b"id,id\n1,a\n", ["line 1: has the column id more than once"]),
        (b"id,x\na,1\nb\nc,1,2\n", ["line 3: has 1 columns, and the header has 2", "line 4: has 3 columns"]),
        (b"id,x\n,1\n", ["line 2: '' is empty"]),
        (b'id,x\na,1\n"b"c,1\n', ["line 3: is not CSV"]),
        (b'id,x\na,1\n"b,1\n', ["line 3: is not CSV"]),
        (b"a\n" + b"x" * (LONGEST_LINE + 1), [f"line 2: has more than {LONGEST_LINE} bytes"]),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, octets: bytes, told: Sequence[str]) -> None:
    _, problems = asked_for(tmp_path, octets)
    assert len(problems) == len(told) and all(map(str.startswith, problems, told)), problems


def test_an_id_that_looks_like_a_header_is_one_below_a_header(tmp_path: Path) -> None:
    assert asked_for(tmp_path, b"id\ndevice\n") == (["device"], [])


def test_many_problems_are_counted_and_the_first_told(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    path.write_text("".join(f"bad {number}\n" for number in range(100)))
    with Asked(WHOLE) as asked, pytest.raises(Refused) as failed:
        ask_for_file(asked, path)
        asked.problems.refuse("FACTORY-IDS", "problems with the ids")
    assert len(failed.value.listed) == MOST_TOLD + 1 and failed.value.listed[-1] == "and 80 more"
    assert failed.value.lines()[0] == "What happened: 100 problems with the ids:"


def test_the_command_tells_all_before_it_makes_anything(tmp_path: Path) -> None:
    accepted = accepted_in_file(tmp_path / "alpha")
    ids, out = tmp_path / "ids.txt", tmp_path / "out"
    ids.write_text("good\nbad id\nGOOD\n")
    told = refused(issued(accepted, out, "--ids", ids), 2, "FACTORY-IDS")
    assert "line 2: 'bad id'" in told and "line 3: 'GOOD' stands at line 1" in told
    assert not out.exists()
    ids.write_text("")
    refused(issued(accepted, out, "--ids", ids), 2, "FACTORY-IDS")
    refused(issued(accepted, out, "--ids", tmp_path / "none"), 2, "FACTORY-IDS")
    refused(issued(accepted, out, "--count", "3", "--prefix", "x y"), 2, "FACTORY-IDS")
    assert not out.exists()


def test_counted_ids_keep_their_width_whatever_the_number() -> None:
    with Asked(WHOLE) as asked:
        ask_for_count(asked, "dev-", 2, 1)
        ask_for_count(asked, "dev-", 2, 999_999)
        assert [one.registration_id for batch in asked.batches(10) for one in batch] == [
            "dev-000001", "dev-000002", "dev-999999", "dev-1000000",
        ]  # fmt: skip
        for count, first in ((0, 1), (10**9, 1), (1, -1)):
            with pytest.raises(CeremonyError) as failed:
                ask_for_count(asked, "dev-", count, first)
            assert failed.value.code == "USAGE"


@given(st.binary(max_size=400))
def test_no_file_of_bytes_gets_anything_but_good_ids_through(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    ids, _ = asked_for(tmp_path_factory.getbasetemp(), octets)
    assert not any(map(problem_with_id, ids))
    assert len({registration_id.lower() for registration_id in ids}) == len(ids)


@given(IDS, IDS)
def test_two_ids_never_share_a_file_and_a_file_tells_its_id(one: str, other: str) -> None:
    assert id_of_stem(file_stem(one)) == one
    assert not set(file_stem(one)) & set("/:\\") and file_stem(one)[0] not in ".-"
    if one.lower() != other.lower():
        assert file_stem(one).lower() != file_stem(other).lower()


@given(st.integers(1, 40), st.lists(IDS, max_size=30))
def test_each_id_is_in_exactly_one_share(shares: int, ids: list[str]) -> None:
    for registration_id in ids:
        takers = [number for number in range(1, shares + 1) if Shard(number, shares).takes(registration_id)]
        assert len(takers) == 1
        assert Shard(takers[0], shares).takes(registration_id.swapcase())


@pytest.mark.parametrize("text", ["0/1", "2/1", "1", "1/0", "a/b", "1/10001", "-1/2", "1/2/3", "1/2\n", "", "01/2"])
def test_a_share_is_one_of_its_number(text: str) -> None:
    with pytest.raises(CeremonyError) as failed:
        read_shard(text)
    assert failed.value.code == "USAGE"
