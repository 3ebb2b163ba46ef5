"""One target under atheris: python -m tests.fuzz.one TARGET REHEARSAL CORPUS [libFuzzer's options]"""

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # in `make fuzz` alone

with atheris.instrument_imports(include=["ceremony"]):
    from tests.fuzz.targets import FOLDERS, TARGETS, tried


def main() -> None:
    """Runs until the time is over, or there is a finding: then libFuzzer ends the process and keeps the input."""
    name, rehearsal, corpus, *options = sys.argv[1:]
    # A folder of this process's own.
    if name in FOLDERS:
        FOLDERS[name].take(Path(rehearsal))
    assert name in TARGETS
    atheris.Setup([sys.argv[0], corpus, *options], lambda octets: tried(name, octets))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
