"""What a factory reads of others: a list of ids, and a request of a device."""

import tempfile
from pathlib import Path

from ceremony.factory.csr_folder import ask_for_folder
from ceremony.factory.id_lists import ask_for_file
from ceremony.factory.order import Asked
from ceremony.factory.shards import WHOLE
from tests.engine.memory_room import fast_folder


def ids_read(octets: bytes) -> None:
    """The list is taken, or refused with all that is wrong."""
    with tempfile.NamedTemporaryFile(dir=fast_folder(), prefix="fuzz-") as file, Asked(WHOLE) as asked:
        file.write(octets)
        file.flush()
        ask_for_file(asked, Path(file.name))
        _told(asked, "FACTORY-IDS")


def csr_read(octets: bytes) -> None:
    """A folder with this one request."""
    with tempfile.TemporaryDirectory(dir=fast_folder(), prefix="fuzz-") as folder, Asked(WHOLE) as asked:
        (Path(folder) / "d-1.csr").write_bytes(octets)
        ask_for_folder(asked, Path(folder), ())
        _told(asked, "FACTORY-CSRS")


def _told(asked: Asked, code: str) -> None:
    assert all(line.isascii() and line.isprintable() for line in asked.problems.told), asked.problems.told
    _ = [wanted for batch in asked.batches(100) for wanted in batch]
    asked.problems.refuse(code, "of them")
