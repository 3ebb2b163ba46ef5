"""What must hold of a ceremony that was cut and went on: one right end, whatever was cut."""

from collections import Counter

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.crossing.verify import verify_bundle
from ceremony.transcript import Line, read_lines
from tests.engine.memory_room import World


def lines_of(world: World) -> list[Line]:
    lines, torn = read_lines(world.record.read_bytes())
    assert torn is None
    return lines


def of(world: World, *types: str) -> list[Line]:
    return [line for line in lines_of(world) if line.type in types]


def acts(world: World, verb: str, type: str = "intent") -> list[Line]:
    return [line for line in lines_of(world) if line.type == type and line.data["verb"] == verb]


def recovered(lines: list[Line], verb: str, how: str) -> list[Line]:
    return [line for line in lines if line.type == "recovered" and line.data["verb"] == verb and line.data["how"] == how]


def assert_right_end(world: World) -> None:
    lines = lines_of(world)
    assert lines[-1].type == "closed"
    assert lines[0].prev == lines[0].data["script"]["sha256"]
    assert_one_root_key(world, lines)
    assert_no_signature_unnoticed(world, lines)
    seal = [line.sha256 for line in lines if line.type == "sealed"][-1]
    assert seal in world.paper
    verdict = verify_bundle(world.folder / "bundles" / "2", fingerprint=seal)
    assert verdict.word == "GOOD", [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed]
    assert sorted(place.name for place in (world.folder / "bundles").iterdir()) == ["1", "2"]
    for bundle in (1, 2):
        for file in (world.folder / "bundles" / str(bundle)).rglob("*"):
            medium = [*world.media_taken_away, world.outbox][bundle - 1]
            copy = medium / f"example-root-2026-{bundle}" / file.relative_to(world.folder / "bundles" / str(bundle))
            assert file.is_dir() or copy.read_bytes() == file.read_bytes()


def assert_one_root_key(world: World, lines: list[Line]) -> None:
    (pair,) = world.store.pairs.values()
    root = x509.load_pem_x509_certificate((world.folder / "bundles/2/root/example-root-g1.cert.pem").read_bytes())
    assert root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == pair.public_der
    made = [line for line in lines if line.type == "result" and line.data["verb"] == "generate-key" and "value" in line.data]
    assert len(made) == 1
    destroyed = recovered(lines, "generate-key", "destroyed")
    noticed = {line.data["left"]["key id"] for line in destroyed}
    assert world.store.generated == 1 or noticed or _destruction_confirmed(lines)


def _destruction_confirmed(lines: list[Line]) -> bool:
    return any(line.type == "confirmed" and "/destroy/" in line.data["key"] for line in lines)


def assert_no_signature_unnoticed(world: World, lines: list[Line]) -> None:
    """Each stored to-be-signed is signed once, and once more for each line `recovered` that says so, after a new order."""
    again = Counter(line.data["key"] for line in recovered(lines, "sign", "signed-again"))
    allowed: Counter[str] = Counter()
    for line in lines:
        if line.type == "intent" and line.data["verb"] == "sign":
            allowed[line.data["args"]["sha256"]] = 1 + again[line.data["key"]]
    asked = Counter(world.store.signed)
    assert asked.keys() <= allowed.keys()
    assert all(times <= allowed[sha256] for sha256, times in asked.items())
    for line in recovered(lines, "sign", "signed-again"):
        new_orders = [
            other
            for other in lines[: line.seq]
            if other.type == "ordered" and other.data["key"] in (f"{line.data['key']}/order-again", f"{line.data['key']}/confirm-again")
        ]
        assert len({other.data["by"] for other in new_orders}) == 2
