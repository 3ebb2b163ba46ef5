"""What a script may say of the PINs: who holds them, and that no smaller group than it says reaches the key by any of them."""

import re

import pytest

from ceremony.activation.arrangement import covering
from ceremony.script import ScriptRefused, read_script
from ceremony.shipped import path_of

QUORUM = path_of("quorum-ceremony").read_text()
RESHARED = path_of("reshare").read_text()
_SO = QUORUM[QUORUM.index("[activation.so]") : QUORUM.index("[backup]")]
_HOLDERS = 'holders = ["officer-1", "officer-2", "custodian-1", "custodian-2", "custodian-3"]'


def problems_of(text: str) -> str:
    with pytest.raises(ScriptRefused) as refused:
        read_script(text.encode())
    return "\n".join(f"{problem.where}: {problem.what}" for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("threshold = 3", "threshold = 1", r"activation.threshold: 2 to 5 of the holders must come together; here it is 1"),
        ("threshold = 3", "threshold = 6", r"activation.threshold: 2 to 5"),
        ("threshold = 3\n", "", r"activation.threshold: .*None"),
        (_HOLDERS, 'holders = ["officer-1"]', r"activation.holders: 2 to 16 people hold shares; here are 1"),
        (_HOLDERS, 'holders = ["officer-1", "officer-1", "officer-2"]', r"activation.holders: 'officer-1' stands twice"),
        (_HOLDERS, 'holders = ["officer-1", "officer-2", "somebody"]', r"activation.holders: 'somebody' is no participant"),
        (_HOLDERS, 'holders = ["officer-1", "officer-2", "auditor"]', r"activation.holders: 'auditor' is an auditor, who holds no share"),
        (_SO, '[activation.so]\nkind = "pin"\n\n', r"activation.so: the SO PIN alone sets a new user PIN"),
        (_SO, "", r"activation.so: the SO PIN alone sets a new user PIN"),
        (_SO, '[activation.so]\nkind = "pin-pad"\n\n', r"activation.so: a token with a pad takes both PINs on it"),
        (re.search(r"smaller = .*\n", QUORUM)[0], "", r"activation.so: 2 people reach the key by the SO PIN, and the user PIN takes 3"),  # type: ignore[index]  # it is there
        ('kind = "shared-pin"\nthreshold = 3', 'kind = "pin"\nthreshold = 3', r"activation: threshold and holders belong to kind"),
        ('key = "ec:secp384r1"', 'key = "ec:secp384r1"\nalways_authenticate = true', r"root.always_authenticate: .* whole quorum"),
    ],
)  # fmt: skip
def test_an_arrangement_that_does_not_hold_is_refused(before: str, after: str, problem: str) -> None:
    assert before in QUORUM
    assert re.search(problem, problems_of(QUORUM.replace(before, after, 1)))


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('which = "so"', 'which = "user"', r"the user PIN was changed already(.|\n)*no change-activation changes the SO PIN"),
        ('which = "so"\nby = "quorum"', 'which = "so"\nby = "so"', r"the SO PIN is changed by those who hold it"),
        ('token = "ready"', 'token = "blank"', r"the token is blank: it has no PIN to change"),
    ],
)
def test_a_change_that_can_not_be_is_refused(before: str, after: str, problem: str) -> None:
    assert before in RESHARED
    assert re.search(problem, problems_of(RESHARED.replace(before, after, 1)))


def test_a_token_of_its_vendors_making_has_no_shares_yet() -> None:
    adopted = QUORUM.replace('kind = "initialise-token"', 'kind = "adopt-token"').replace('label = "example-root"\n', "")
    assert "its vendor's tools split no PIN" in problems_of(adopted)


def test_a_token_that_is_initialised_here_has_no_arrangement_before() -> None:
    before = QUORUM.replace("[backup]", '[activation.before]\nkind = "pin"\n\n[backup]')
    assert "[activation.before] is for a token in use" in problems_of(before)


def test_check_tells_the_smallest_group_that_reaches_the_key_by_any_pin() -> None:
    lines = read_script(QUORUM.encode()).activation.lines()
    assert "Smallest group that reaches the key by any PIN: 2 people, by the SO PIN." in lines
    assert lines[-1].startswith("Fewer people suffice for the SO PIN than for the user PIN, because: Used only to recover")
    assert "by either PIN" in read_script(RESHARED.encode()).activation.lines()[2]


@pytest.mark.parametrize(("count", "threshold", "groups"), [(5, 3, 2), (3, 2, 2), (2, 2, 1), (16, 2, 8), (7, 3, 3), (6, 3, 2)])
def test_few_groups_cover_every_holder(count: int, threshold: int, groups: int) -> None:
    holders = [f"h{number}" for number in range(count)]
    covered = covering(holders, threshold)
    assert len(covered) == groups and {holder for group in covered for holder in group} == set(holders)
    assert all(len(set(group)) == threshold for group in covered)
