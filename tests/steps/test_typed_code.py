"""A verification code typed from paper, as import-request asks for it."""

from typing import Any

import msgspec
import pytest

from ceremony.engine.step import Act, Ask, Known, Show
from ceremony.script import read_script
from ceremony.steps.import_request import ImportRequest
from ceremony.words import check_words
from tests.engine.memory_room import FIRST_CEREMONY

CODE = "4DCB-a81f"
WORDS = " ".join(check_words(CODE))
NOT_TYPED = FIRST_CEREMONY.read_text()
TYPED = NOT_TYPED.replace('service = "example-dps"', 'service = "example-dps"\ntyped = true')
STEP = ImportRequest(title="x", actor="admin", confirm=("witness-1",))


def known(*, typed: bool = True, rehearsal: bool = False) -> Known:
    script = msgspec.structs.replace(read_script((TYPED if typed else NOT_TYPED).encode()), intermediates=())
    return Known(script=script, products={"root_certificate_sha256": "00" * 32}, opened={"rehearsal": rehearsal}, step=1)


def run(known: Known, answers: list[str]) -> tuple[Any, list[Ask], list[str]]:
    """What the step returns for these answers in order, what it asked and what it showed."""
    asked: list[Ask] = []
    shown: list[str] = []
    left = list(answers)
    steps = STEP.run(known)
    value: Any = None
    while True:
        try:
            request = steps.send(value)
        except StopIteration as end:
            assert not left, left
            return end.value, asked, shown
        match request:
            case Ask():
                asked.append(request)
                value = left.pop(0)
            case Show():
                shown += request.lines
                value = None
            case _:
                raise AssertionError(request)


def test_a_code_is_typed_by_two_with_its_check_words() -> None:
    products, asked, _ = run(known(), ["by hand", CODE, CODE, WORDS])
    code = {"service": "example-dps", "certificate": "example-root-g1", "verification_code": CODE}
    assert products == {"csrs": {}, "codes": {"example-dps": code}}
    medium, first, second, words = asked
    assert medium.accept == "import" and medium.choices == ("by hand",)
    assert (first.by, second.by, words.by) == ("admin", "witness-1", "witness-1")
    assert first.blind and second.blind and words.blind, "what the one typed is not kept for the other to see"
    assert words.accept == WORDS and WORDS not in " ".join((words.text, *words.shown))
    assert CODE not in " ".join((second.text, *second.shown))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ([CODE, CODE.lower()], "differ"),
        (["with a space"], "without a space"),
        (["x" * 65], "1 to 64"),
        (["\u00e9"], "printable ASCII"),
        ([CODE, CODE, "refuse"], "not the one on the paper"),
    ],
)
def test_what_does_not_agree_is_typed_once_more(wrong: list[str], why: str) -> None:
    products, _, shown = run(known(), ["by hand", *wrong, "by hand", CODE, CODE, WORDS])
    assert products["codes"]["example-dps"]["verification_code"] == CODE
    assert why in "\n".join(shown)


def test_it_is_offered_only_where_the_script_allows_it() -> None:
    steps = STEP.run(known(typed=False))
    asked = next(steps)
    assert isinstance(asked, Ask) and asked.choices == () and "by hand" not in " ".join(asked.shown)
    assert isinstance(steps.send("import"), Act)


def test_a_rehearsal_says_the_words_that_no_paper_has() -> None:
    _, _, shown = run(known(rehearsal=True), ["by hand", CODE, CODE, WORDS])
    assert f"REHEARSAL: in place of the paper: {WORDS}" in shown
    _, _, shown = run(known(), ["by hand", CODE, CODE, WORDS])
    assert WORDS not in "\n".join(shown)
