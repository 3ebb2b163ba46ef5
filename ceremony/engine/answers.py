"""Whether an answer fits its question, and how it is recorded."""

from ceremony.custody import problem_with_fact
from ceremony.engine.step import Ask
from ceremony.words import fingerprint_typed

LONGEST_TEXT = 1000
"""What somebody types freely (an answer, a deviation, a reason) has at most 1,000 characters."""


def problem_with(ask: Ask, value: str) -> str | None:
    """Why an answer does not fit its question; None when it does."""
    if ask.accept is None and not ask.choices:
        return problem_with_text(value, ask.least) or problem_with_fact(ask.form, value)
    if (ask.accept is not None and _same(value, ask.accept)) or folded(value) in map(folded, ask.choices):
        return None
    choices = f"Answer with one of: {', '.join(ask.choices)}."
    if ask.accept is None:
        return choices
    wrong = "That is not what stands on the paper." if ask.blind else "That is not what is shown. Read it again and type it as it stands."
    return f"{wrong} {choices}" if ask.choices else wrong


def problem_with_text(text: str, least: int) -> str | None:
    """Why free text can't be recorded; None when it can. `least` is the fewest characters it must have."""
    if len(text.strip()) < least:
        return f"At least {least} characters are needed." if least > 1 else "An answer is needed."
    if len(text) > LONGEST_TEXT:
        return f"At most {LONGEST_TEXT} characters are taken."
    return None if text.isprintable() else "It holds characters that can't be printed."


def settled(ask: Ask, value: str) -> str:
    """The answer as it is recorded: a choice or what was to be typed back in its own spelling, free text stripped."""
    for choice in ask.choices:
        if folded(choice) == folded(value):
            return choice
    return value.strip() if ask.accept is None else ask.accept


def folded(text: str) -> str:
    """Text as it is compared: upper and lower case, commas and white space do not matter."""
    return " ".join(text.replace(",", " ").split()).casefold()


def _same(value: str, accept: str) -> bool:
    if len(accept) == 64 and not accept.strip("0123456789abcdef"):
        try:
            return fingerprint_typed(value) == accept
        except ValueError:
            return False
    return folded(value) == folded(accept)
