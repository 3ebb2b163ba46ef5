"""Which states of a ceremony the suite cuts at: one of each kind, all that are about keys, signatures and bundles, and some others."""

import re
from typing import Any

_EACH = {"initialise-token", "generate-key", "destroy-key", "store", "sign", "write-artifact", "import-request", "make-bundle", "copy-out"}
_ONE_IN = 5


def about(data: dict[str, Any]) -> str:
    """The verb of a line with these data, or the first word of the question that it answers: not who was asked, and about what."""
    said = data.get("verb") or data.get("key") or data.get("reason") or ""
    return re.split(r"[/0-9]", str(said))[0]


class Sample:
    """Chooses among the states of a ceremony. Asked of each in its order, it chooses the same in each run."""

    def __init__(self, every: bool) -> None:
        """`every`: chooses all."""
        self._every = every
        self._seen: set[tuple[str, str]] = set()
        self._others = 0

    def takes(self, what: str, about: str) -> bool:
        """Whether a state is chosen: `what` was written or done, and what that is about."""
        new = (what, about) not in self._seen
        self._seen.add((what, about))
        if self._every or new or about in _EACH:
            return True
        self._others += 1
        return self._others % _ONE_IN == 0
