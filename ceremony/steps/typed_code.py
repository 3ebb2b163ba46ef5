"""A verification code that crosses the gap on paper: typed by two people, and its check words after it (design, section 6)."""

from collections.abc import Generator
from typing import Any

from ceremony.engine.step import Ask, Known, Request, Show
from ceremony.pki.names import shown_text
from ceremony.words import check_words

_LONGEST = 64
"""The upper bound of a common name (RFC 5280, appendix A.1), which the code becomes."""


def code_typed(
    known: Known, key: str, service: str, certificate: str, people: tuple[str, str]
) -> Generator[Request, Any, dict[str, str] | None]:
    """The code of a service as a request would bring it; None when what was typed does not agree: nothing of it is used then.

    Each of the two types the code without seeing what the other typed, then the second types the four words that the online side
    printed beside it: a code that was copied wrongly onto the paper has others.
    """
    first, second = people
    shown = (
        f"The verification code of {service} and its four check words stand on the paper of the online side.",
        "Two people type the code, one after the other; the second does not look while the first types.",
        "Upper and lower case matter.",
        *(("REHEARSAL: without such a paper make up a code; its check words are said then.",) if known.rehearsal else ()),
    )
    text = f"Type the verification code of {service} from the paper."
    code = yield Ask(key=f"{key}/code", text=text, by=first, shown=shown, blind=True, least=1)
    if problem := _problem_with(code):
        yield Show(lines=(problem,))
        return None
    again = yield Ask(key=f"{key}/again", text=text, by=second, shown=shown, blind=True, least=1)
    if again != code:
        yield Show(lines=(f"The two codes of {service} differ. Neither is used; both are typed once more.",))
        return None
    words = " ".join(check_words(code))
    if known.rehearsal:
        yield Show(lines=(f"REHEARSAL: in place of the paper: {words}",))
    shown = ("If other words stand on the paper than you may type here, the code was copied wrongly: answer: refuse",)
    text = f"Type the four check words of the code of {service}."
    if (yield Ask(key=f"{key}/words", text=text, by=second, shown=shown, accept=words, blind=True, choices=("refuse",))) == "refuse":
        yield Show(lines=(f"Refused: the code of {service} is not the one on the paper. It is not used.",))
        return None
    yield Show(lines=(f"The code of {service}, typed by two: {shown_text(code)}",))
    return {"service": service, "certificate": certificate, "verification_code": code}


def _problem_with(code: str) -> str | None:
    if len(code) <= _LONGEST and all("!" <= character <= "~" for character in code):
        return None
    return f"A verification code is 1 to {_LONGEST} printable ASCII characters without a space. Type it once more."
