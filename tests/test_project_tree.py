"""Rules for the files themselves: none long, none called utils, no registry's address, no path of a developer's machine."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST_LINES = 400
NOT_OURS = {".git", ".venv", ".image", "wheelhouse", "dist", "__pycache__", ".hypothesis"}
MADE_HERE = re.compile(r"(demo|rehearsal)-[0-9]+-")
"""What `make demo` and `make rehearse` leave."""
# Written so that this file does not find itself.
ADDRESSES = re.compile(rb"python[h]osted\.|py[p]i\.org|registry\.npm[j]s|deb\.deb[i]an\.org|security\.deb[i]an\.org")
MACHINE_PATHS = re.compile(rb"/wor[k]/(main|shared)|/far[m]/|/roo[t]/\.")


def our_files(suffix: str = "") -> Iterator[Path]:
    """Every file of the tree that a commit could hold."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith("_cache") and not MADE_HERE.match(name)]
        # in a second worktree `.git` is a file
        yield from (Path(folder, name) for name in names if name.endswith(suffix) and name not in NOT_OURS)


@pytest.mark.parametrize("package", ["ceremony", "hsm"])
def test_no_module_is_longer_than_a_reader_keeps_in_mind(package: str) -> None:
    modules = [path for path in our_files(".py") if path.is_relative_to(ROOT / package)]
    assert modules
    lengths = {path: len(path.read_text().splitlines()) for path in modules}
    assert {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_every_module_is_named_by_what_it_does() -> None:
    assert [path for path in our_files(".py") if path.stem in {"utils", "util", "helpers", "common", "misc"}] == []


@pytest.mark.parametrize("forbidden", [ADDRESSES, MACHINE_PATHS], ids=["registry addresses", "paths of one machine"])
def test_no_file_names_a_registry_or_a_path_of_one_machine(forbidden: re.Pattern[bytes]) -> None:
    found = {str(path.relative_to(ROOT)): match[0] for path in our_files() if (match := forbidden.search(path.read_bytes()))}
    assert found == {}


def test_a_private_key_stands_in_no_file_but_a_test() -> None:
    marker = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{40}")
    assert [path for path in our_files() if not path.is_relative_to(ROOT / "tests") and marker.search(path.read_bytes())] == []
