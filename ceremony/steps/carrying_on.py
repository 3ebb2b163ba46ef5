"""What a later ceremony takes over from the last bundle beside its own root: the ledger, and the other roots of the chain."""

from collections.abc import Generator
from typing import Any

from ceremony.engine.step import Act, Known, Request


def carried_on(previous: dict[str, Any]) -> Generator[Request, Any, None]:
    """Writes what belongs to the other living roots into this ceremony's bundles, as it was: each bundle holds every root of its chain."""
    for number, file in enumerate(previous["carried_on"], 1):
        yield Act(key=f"carry-on/{number}", verb="write-artifact", args=dict(file))


def of_the_ledger(previous: dict[str, Any], left_out: int = 0, *, is_hole: bool = False) -> dict[str, Any]:
    """The products that a ceremony has of the ledger, whichever root it is about.

    Where this very ceremony goes on without the last ledger, `left_out` is by how much CRL numbers jump, and `is_hole` whether something
    may have been signed that is not told.
    """
    return {
        **{name: previous[name] for name in ("serials", "certified_keys", "last_of_kind", "certified", "last_crl_number")},
        "numbers_left_out": previous["numbers_left_out"] + left_out,
        "ledger_lost": previous["ledger_lost"] or is_hole,
    }


def is_taken_over(known: Known) -> bool:
    """Whether a step before has read the last bundle, or there is none."""
    return known.script.previous is None or "serials" in known.products
