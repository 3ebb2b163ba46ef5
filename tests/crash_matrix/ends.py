"""What must hold of any shipped script that was cut and went on: the end of the undisturbed run, and nothing done unnoticed."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ceremony.crossing.verify import verify_bundle
from ceremony.transcript import Line, read_lines
from tests.crash_matrix.token_files import stores_of

_LOOKED_AFTER = ("sign", "generate-key", "destroy-key", "wipe-token")
"""Acts that are never simply done again: after an interruption the record says what came of them."""


def lines_of(folder: Path) -> list[Line]:
    """The whole lines of a record; none where there is none yet."""
    record = folder / "transcript.jsonl"
    return read_lines(record.read_bytes())[0] if record.exists() else []


def pasts(folder: Path) -> list[Path]:
    """The folders of the ceremonies that the rehearsal made up as its past, in their order."""
    return sorted(record.parent for record in folder.glob("work/rehearsal/past*/transcript.jsonl"))


def undecided(lines: list[Line]) -> Line | None:
    """The intent, if the last act of a record has no result."""
    acts = [line for line in lines if line.type in ("intent", "result", "recovered")]
    return acts[-1] if acts and acts[-1].type == "intent" else None


@dataclass(frozen=True)
class End:
    """What a ceremony leaves: files of each bundle, objects on each token, files on the media."""

    bundles: dict[str, list[str]]
    objects: list[int]
    media: list[str]

    @classmethod
    def of(cls, folder: Path) -> "End":
        """The end in a ceremony's folder."""
        outbox = folder / "work/rehearsal/outbox"
        return cls({place.name: _files(place) for place in sorted((folder / "bundles").iterdir())}, _objects(folder), _files(outbox))


def assert_right_end(folder: Path, like: End, cut: list[Line]) -> None:
    """The ceremony of this folder, whose record was `cut` when it was disturbed, came to the end of the undisturbed one."""
    lines, torn = read_lines((folder / "transcript.jsonl").read_bytes())
    assert lines[-1].type == "closed" and torn is None, f"ends with {lines[-1].type}"
    assert [line.sha256 for line in lines[: len(cut)]] == [line.sha256 for line in cut], "lines that were on the disk are gone"
    assert End.of(folder) == like, f"{End.of(folder)} is not {like}"
    _assert_told(lines, cut)
    _assert_nothing_unnoticed(folder, lines)
    last = max((folder / "bundles").iterdir(), key=lambda place: int(place.name))
    seal = [line.sha256 for line in lines if line.type == "sealed"][-1]
    previous = [past / "bundles/1" for past in pasts(folder)]
    verdict = verify_bundle(last, fingerprint=seal, previous=previous[-1] if previous else None)
    assert verdict.word == "GOOD", [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed]


def _assert_told(lines: list[Line], cut: list[Line]) -> None:
    """An act of unknown outcome, such as a signature that was made and not recorded, is found and stands in the record."""
    open_act = undecided(cut)
    if open_act is None or open_act.data["verb"] not in _LOOKED_AFTER:
        return
    later = lines[len(cut) :]
    key = open_act.data["key"]
    told = [line for line in later if line.type == "recovered" and line.data["key"] == key]
    told += [line for line in later if line.type in ("confirmed", "result") and str(line.data.get("key", "")).startswith(key)]
    assert told, f"nothing is told of {open_act.data['verb']} {key}"
    assert open_act.data["verb"] != "sign" or any(line.type == "recovered" for line in told), f"{key} was signed again unnoticed"


def _assert_nothing_unnoticed(folder: Path, lines: list[Line]) -> None:
    """Each to-be-signed is signed once, and once more for each `recovered` line that says so; the same of keys. In memory alone."""
    stores = stores_of(folder)
    past = [line for place in pasts(folder) for line in lines_of(place)]
    allowed: Counter[str] = Counter()
    again = Counter(line.data["key"] for line in lines if line.type == "recovered" and line.data["how"] == "signed-again")
    for line in (*past, *lines):
        if line.type == "intent" and line.data["verb"] == "sign":
            allowed[line.data["args"]["sha256"]] = 1 + again[line.data["key"]]
    for store in stores:
        for sha256, times in Counter(store.signed).items():
            assert times <= allowed[sha256], f"{sha256} was signed {times} times, {allowed[sha256]} are in the record"
    generated = [line for line in (*past, *lines) if line.type == "result" and line.data["verb"] == "generate-key" and "value" in line.data]
    noticed = [line for line in lines if line.type == "recovered" and line.data["verb"] == "generate-key"]
    noticed += [line for line in lines if line.type == "confirmed" and "/destroy/" in line.data["key"]]
    made = sum(store.generated for store in stores)
    assert not stores or noticed or made <= len(generated), f"{made} keys were made, {len(generated)} are in the record"


def _files(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


def _objects(folder: Path) -> list[int]:
    """How many key pairs each token holds in memory, or how many objects on SoftHSM."""
    if stores := stores_of(folder):
        return sorted(len(store.pairs) for store in stores)
    tokens = folder.glob("work/rehearsal/*token/tokens/*/token.object")
    return sorted(len(list(token.parent.glob("*.object"))) - 1 for token in tokens)
