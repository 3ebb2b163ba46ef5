"""What a JSON body must look like before its members are read: types, required members, one of a list."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shape:
    """`kind` of the value; of an object, the shapes of the members that are known (others are passed over) and which must be there."""

    kind: type = dict
    members: Mapping[str, "Shape"] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    items: "Shape | None" = None


STRING, BOOLEAN, OBJECT = Shape(str), Shape(bool), Shape(dict)
TEXTS = Shape(list, items=STRING)


def one_of(*choices: str) -> Shape:
    """One of these texts."""
    return Shape(str, choices=choices)


def problems(value: Any, shape: Shape, place: str = "body") -> list[str]:
    """How a value differs from its shape, each with its place; nothing when it does not."""
    return list(_problems(value, shape, place))


def _problems(value: Any, shape: Shape, place: str) -> Iterator[str]:
    if not isinstance(value, shape.kind):
        yield f"{place} is of the wrong type"
    elif shape.choices and value not in shape.choices:
        yield f"{place} is not one of {', '.join(shape.choices)}"
    elif isinstance(value, list) and shape.items is not None:
        for item in value:
            yield from _problems(item, shape.items, f"{place}[]")
    elif isinstance(value, dict):
        yield from (f"{place}.{name} is missing" for name in shape.required if name not in value)
        for name, member in shape.members.items():
            if name in value:
                yield from _problems(value[name], member, f"{place}.{name}")
