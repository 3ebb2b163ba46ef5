"""Coverage-guided fuzzing of all that reads files of others: python -m tests.fuzz [--minutes N] [TARGET…]

Seeds are the shipped scripts and the files of a rehearsal. A finding is any error but a refusal of ours, an input that takes ten
seconds, a process of more than 1.5 GB, or a file written beside the folder. The input of a finding is kept, and its path told.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.crash_matrix.token_files import in_memory
from tests.fuzz.targets import TARGETS
from tests.room.held import SCRIPT, rehearsed

_SECONDS_OF_AN_INPUT = 10
_MEGABYTES = 1536
_LONGEST = 1 << 17


def main() -> int:
    """Prints a row for each target; ends with 1 when there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="shared by the targets")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    asked = parser.parse_args()
    names = [name for name in TARGETS if not asked.targets or name in asked.targets]
    seconds = max(1, int(asked.minutes * 60 / len(names)))
    found = executions = 0
    kept = Path(tempfile.mkdtemp(prefix="fuzz-findings-"))
    print("| target | executions | finding |\n|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        rehearsal = Path(place) / "D"
        with in_memory(lambda what: None):
            rehearsed(rehearsal, path=SCRIPT)
        for name in names:
            corpus = Path(place) / name
            corpus.mkdir()
            for seed in TARGETS[name].seeds(rehearsal):
                (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
            number, what = _fuzzed(name, rehearsal, corpus, kept, seconds)
            executions += number
            found += what is not None
            print(f"| {name} | {number} | {what or 'none'} |", flush=True)
    print(f"| all | {executions} | {found or 'none'} |")
    return int(found > 0)


def _fuzzed(name: str, rehearsal: Path, corpus: Path, kept: Path, seconds: int) -> tuple[int, str | None]:
    """How many inputs were tried, and the finding."""
    options = [
        f"-max_total_time={seconds}", f"-timeout={_SECONDS_OF_AN_INPUT}", f"-rss_limit_mb={_MEGABYTES}", f"-max_len={_LONGEST}",
        f"-artifact_prefix={kept}/{name}-", "-print_final_stats=1", "-verbosity=1",
    ]  # fmt: skip
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(rehearsal), str(corpus), *options]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", env=os.environ, check=False)
    counts = re.findall(r"number_of_executed_units: (\d+)", ended.stderr) or re.findall(r"^#(\d+)\t", ended.stderr, re.MULTILINE)
    number = int(counts[-1]) if counts else 0
    if ended.returncode == 0:
        return number, None
    print(ended.stderr[-4000:], file=sys.stderr)
    return number, f"{', '.join(str(path) for path in kept.glob(f'{name}-*')) or 'it did not run'}"


if __name__ == "__main__":
    sys.exit(main())
