"""A share of a large order: which ids are whose, without anybody who hands them out."""

import hashlib
import re
from typing import NamedTuple

from ceremony.errors import CeremonyError

LARGEST = 10_000


class Shard(NamedTuple):
    """The share `number` (from 1) of `of` shares."""

    number: int
    of: int

    def takes(self, registration_id: str) -> bool:
        """Whether the id is in this share: by its SHA-256, in lower case, so that it hangs on nothing but the id itself."""
        digest = hashlib.sha256(registration_id.lower().encode()).digest()
        return int.from_bytes(digest[:8]) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Shard(1, 1)


def read_shard(text: str) -> Shard:
    """The shard that `i/n` writes, i from 1 to n. Raises CeremonyError USAGE."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})/([1-9][0-9]{0,4})", text)
    if not found or not int(found[1]) <= int(found[2]) <= LARGEST:
        raise CeremonyError("USAGE", f"--shard is i/n with i from 1 to n and n at most {LARGEST}, such as 2/8.")
    return Shard(int(found[1]), int(found[2]))
