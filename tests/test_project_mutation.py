"""`make mutation` finds the changes it should, and puts the changed module in the place of the module."""

import ast
import os
from pathlib import Path

from tests.mutation.mutants import mutants
from tests.mutation.running import Site, in_child, mutate

SOURCE = '''
Both = int | str
def taken(number: int, names: list[str]) -> bool:
    """A text is left alone."""
    if not names or number < 3:
        raise ValueError("no")
    names.append("one")
    return any(names)
'''


def changed(number: int) -> str:
    tree = ast.parse(SOURCE)
    mutants(tree)[number].make()
    return ast.unparse(ast.fix_missing_locations(tree))


def test_each_mutant_is_one_change_and_they_are_these() -> None:
    found = [mutant.what for mutant in mutants(ast.parse(SOURCE))]
    assert sorted(found) == sorted(
        [
            "And in `not names or number < 3`",
            "no not in `not names`",
            "LtE in `number < 3`",
            "GtE in `number < 3`",
            "4 for 3",
            "without `raise ValueError('no')`",
            "without `names.append('one')`",
            "all in `any(names)`",
        ]
    )
    before = ast.unparse(ast.parse(SOURCE)).splitlines()
    for number in range(len(found)):
        after = changed(number).splitlines()
        assert len(after) == len(before)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_a_child_imports_the_mutant_and_no_file_is_changed(tmp_path: Path) -> None:
    module = tmp_path / "a_limit.py"
    module.write_text("def limit() -> int:\n    return 3\n")

    def limit() -> int:
        import sys

        sys.path.insert(0, str(tmp_path))
        mutate(tmp_path, Site(module.name, 0, 2, ""))
        return int(__import__(module.stem).limit())

    assert os.waitstatus_to_exitcode(os.waitpid(in_child(limit), 0)[1]) == 4
    assert "return 3" in module.read_text()
