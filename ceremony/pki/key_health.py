"""Whether a key is still what was made: its attributes now, beside those that the record holds of it."""

from collections.abc import Collection, Iterator, Mapping

import msgspec

Value = bool | int | str | None


class AttributeRead(msgspec.Struct, frozen=True):
    """One attribute as the module asserts it, by its PKCS#11 name without CKA_ elsewhere, and how it fits what was wanted of the key."""

    value: Value
    verdict: str = ""


def problems_with_attributes(recorded: Mapping[str, Value], read: Mapping[str, AttributeRead]) -> Iterator[str]:
    """Each attribute that is not as recorded; of one that nothing is recorded of, whether it differs from what is wanted of a root key."""
    for name, value in recorded.items():
        if name not in read:
            yield f"{name} is not told any more; recorded is {value}"
        elif read[name].value != value:
            yield f"{name} is {read[name].value}; recorded is {value}"
    for name, now in read.items():
        if name not in recorded and now.verdict == "differs":
            yield f"{name} is {now.value}, which no root key may have"


def problems_with_copy(recorded: Mapping[str, Value], read: Mapping[str, AttributeRead], may_differ: Collection[str]) -> Iterator[str]:
    """The same of a copy of the key on another token; the script says of which attributes the copy `may_differ`."""
    yield from problems_with_attributes(
        {name: value for name, value in recorded.items() if name not in may_differ},
        {name: now for name, now in read.items() if name not in may_differ},
    )
