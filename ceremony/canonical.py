"""Canonical JSON: RFC 8785 restricted to integers and ASCII keys, so that one value has one encoding."""

import json
from typing import Any

_LARGEST = 2**53 - 1
_DEEPEST = 32
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class NotCanonical(ValueError):
    """The bytes are not JSON, or not the one encoding that this product writes and reads."""


def canonical_json(value: Any) -> bytes:
    """The one encoding of `value`, UTF-8 without a newline; raises NotCanonical for what has none."""
    _restrict(value, 0)
    return _encoded(value)


def parse_json(octets: bytes, *, canonical: bool = True) -> Any:
    """The value of JSON bytes (UTF-8). Duplicate keys, floats, and by default any other than the one encoding, are errors.

    Raises NotCanonical. `canonical=False` takes white space and any order of keys, for files people write.
    """
    try:
        value = _DECODER.decode(octets.decode())
    except (UnicodeDecodeError, json.JSONDecodeError) as broken:
        raise NotCanonical(f"not JSON: {broken}") from broken
    except RecursionError as deep:
        raise NotCanonical("nested too deep") from deep
    # What the decoder's hooks have let through can still be nested too deep, where there are so many brackets.
    if octets.count(b"{") + octets.count(b"[") > _DEEPEST:
        _restrict(value, 0)
    if _encoded(value) != octets and canonical:
        raise NotCanonical("not in the canonical form (RFC 8785)")
    return value


def _encoded(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError as unpaired:
        raise NotCanonical("a lone surrogate is not a character") from unpaired


def _restrict(value: Any, depth: int) -> None:
    # Read for every line of every record: a text, the most frequent by far, costs no call of its own.
    if depth > _DEEPEST:
        raise NotCanonical(f"nested deeper than {_DEEPEST}")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise _not_ascii(key)
            if type(item) is not str or depth == _DEEPEST:
                _restrict(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            if type(item) is not str or depth == _DEEPEST:
                _restrict(item, depth + 1)
    elif isinstance(value, int):
        _bounded(value)
    elif value is not None and not isinstance(value, str):
        raise _no_place(type(value).__name__)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise NotCanonical(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    if not "".join(found).isascii():
        raise _not_ascii(next(key for key in found if not key.isascii()))
    return found


def _bounded(value: int) -> int:
    if abs(value) > _LARGEST:
        raise NotCanonical(f"integer {value} is beyond 2^53 - 1")
    return value


def _integer(digits: str) -> int:
    # Python itself refuses thousands of digits, in words of its own.
    if len(digits) > 2 * len(str(_LARGEST)):
        raise NotCanonical(f"integer {digits[:20]}... is beyond 2^53 - 1")
    return _bounded(int(digits))


def _no_float(_: str) -> None:
    raise _no_place("float")


def _no_place(kind: str) -> NotCanonical:
    return NotCanonical(f"{kind} has no place in our JSON")


def _not_ascii(key: object) -> NotCanonical:
    return NotCanonical(f"key {key!r} is not ASCII")


def _no_constant(name: str) -> None:
    raise NotCanonical(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_without_duplicates, parse_float=_no_float, parse_int=_integer, parse_constant=_no_constant
)
