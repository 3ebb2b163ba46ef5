"""The digest that two people order a batch of signatures by (design, rule 5)."""

from collections.abc import Iterable
from typing import NamedTuple

from ceremony.canonical import canonical_json
from ceremony.words import sha256_hex


class BatchItem(NamedTuple):
    """One certificate to be signed: its name, its serial (40 hex digits), SHA-256 (hex) of its to-be-signed bytes."""

    name: str
    serial: str
    sha256: str


def batch_list(items: Iterable[BatchItem]) -> list[dict[str, int | str]]:
    """The reviewed list in the order of signing, numbered from 1, as the record holds it."""
    return [{"n": number, **item._asdict()} for number, item in enumerate(items, 1)]


def batch_digest(items: Iterable[BatchItem]) -> str:
    """SHA-256 (hex) of the canonical JSON of `batch_list`."""
    return sha256_hex(canonical_json(batch_list(items)))
