"""capture-hsm-log in memory: one file comes in, read by two, public only if the script says so; none with a private key."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import to_builtins

from ceremony.crossing.artifacts import describe_artifact
from ceremony.crossing.verify import verify_bundle
from ceremony.room import import_evidence
from ceremony.script import ScriptRefused, read_script
from ceremony.words import sha256_hex, words_of
from tests.crossing.forging import drop, failed, put
from tests.crossing.held_ceremony import HeldCeremony, going_on, whole_ceremony
from tests.crossing.held_crl import scripted
from tests.engine.memory_room import World, held, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import acts
from tests.engine.test_wipe_token import SCRIPT as WIPING

LOG = b"2026-11-24 09:00 key generated\x00\xff by user 1\n"
PATH = "attestation/device/audit.log"
_WIPE = WIPING[WIPING.index(b'[[steps]]\nkind = "unlock"') : WIPING.index(b'[[steps]]\nkind = "close"')]
_STEP = b'[[steps]]\nkind = "capture-hsm-log"\ntitle = "Log"\nactor = "officer"\nconfirm = ["witness-1"]\nname = "device"\n'
PRIVATE = WIPING.replace(_WIPE, _STEP + b"\n")
PUBLIC = WIPING.replace(_WIPE, _STEP + b"public = true\n\n")


@pytest.fixture
def world(place: Path) -> World:
    return world_with(place, PUBLIC)


def world_with(place: Path, script: bytes, octets: bytes = LOG, name: str = "audit.log") -> World:
    world = World(place / "world", script=script).made()
    (world.inbox / "hsm-log").mkdir()
    (world.inbox / "hsm-log" / name).write_bytes(octets)
    return world


def told(world: World) -> list[str]:
    verdict = verify_bundle(world.folder / "bundles" / "1", fingerprint=world.paper[-1])
    return [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed]


def test_a_public_log_leaves_as_it_came_and_a_private_one_by_its_digest(world: World, place: Path) -> None:
    held_to_the_end(world, People(world))
    assert (world.folder / "bundles" / "1" / PATH).read_bytes() == LOG
    assert told(world) == []
    other = world_with(place / "other", PRIVATE)
    held_to_the_end(other, People(other))
    assert not (other.folder / "bundles" / "1" / "attestation").exists() and told(other) == []
    assert sha256_hex(LOG).encode() in (other.folder / "bundles" / "1" / "record" / "transcript.jsonl").read_bytes()


def _key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("octets", "name", "code"),
    [
        (b"log\n" + _key(), "audit.log", "EVIDENCE-PRIVATE-KEY"),
        (b"", "audit.log", "MEDIUM-NO-EVIDENCE"),
        (LOG, "Audit Log", "MEDIUM-NAME"),
        (b"x" * 101, "audit.log", "MEDIUM-TOO-LARGE"),
    ],
)
def test_what_is_no_log_is_refused_and_not_kept(
    place: Path, octets: bytes, name: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_evidence, "LARGEST_EVIDENCE", 400 if code == "EVIDENCE-PRIVATE-KEY" else 100)
    world = world_with(place, PUBLIC, octets, name)
    people = People(world, told=lambda ask: {"after-error": "pause"}.get(ask.key))
    assert held(world, people).reason == "error"
    assert code in " ".join(people.errors())
    assert not list((world.folder / "work").glob("evidence/*/*"))
    assert not acts(world, "write-artifact")


def test_two_files_or_none_are_no_log(place: Path) -> None:
    for number, names in enumerate(((), ("a", "b"))):
        world = World(place / str(number), script=PUBLIC).made()
        (world.inbox / "hsm-log").mkdir()
        for name in names:
            (world.inbox / "hsm-log" / name).write_bytes(LOG)
        people = People(world, told=lambda ask: {"after-error": "pause"}.get(ask.key))
        assert held(world, people).reason == "error"
        assert any(code in " ".join(people.errors()) for code in ("MEDIUM-NO-EVIDENCE", "MEDIUM-TOO-LARGE"))


def test_a_name_stands_once() -> None:
    with pytest.raises(ScriptRefused) as refused:
        read_script(PUBLIC.replace(_STEP, _STEP + b"\n" + _STEP))
    assert "the log 'device' stands twice" in refused.value.what


def captured(folder: Path, previous: HeldCeremony, *, public: bool) -> HeldCeremony:
    """A later ceremony that took in a log."""
    kinds = ("roll-call", "check-clock", "check-machine", "use-root", "capture-hsm-log", "close")
    title, keys = b'title = "Now capture-hsm-log"\n', b'name = "device"\n' + b"public = true\n" * public
    ceremony = HeldCeremony(folder, scripted(kinds, previous, "").replace(title, title + keys), **going_on(previous))
    ceremony.prepare()
    ceremony.use_root()
    ceremony.begin("capture-hsm-log")
    ceremony.look_at_medium("inbound", "inbox", "INBOUND")
    digest = sha256_hex(LOG)
    ceremony.act("import", "import-evidence", {"name": "device"}, {"file": "audit.log", "sha256": digest, "size": len(LOG)})
    words = words_of(digest)
    ceremony.answered("log/officer", " ".join(words[:4]), "officer", digest=digest)
    ceremony.answered("log/witness-1", " ".join(words[4:8]), "witness-1", digest=digest)
    if public:
        ceremony.artifacts[PATH] = LOG
        ceremony.act("write", "write-artifact", {"path": PATH}, to_builtins(describe_artifact(PATH, LOG)))
    ceremony.finish()
    ceremony.seal("close")
    return ceremony


def test_verify_tells_a_log_that_nobody_read_or_that_is_another(tmp_path: Path) -> None:
    first = whole_ceremony(tmp_path / "first")
    good = captured(tmp_path / "good", first, public=True)

    def problems(ceremony: HeldCeremony, name: str) -> tuple[set[str], str]:
        verdict = verify_bundle(ceremony.write_bundle(tmp_path / name), fingerprint=ceremony.fingerprint)
        return failed(verdict), next(check.detail for check in verdict.checks if check.name == "attachments")

    assert problems(good, "0")[0] == set()
    for number, (wanted, forge) in enumerate(
        {
            "no two people read": drop("confirmed", key="log/witness-1"),
            "ended without a log": drop("result", verb="import-evidence"),
            "is not the log that a step took in": put(
                "result", {"verb": "import-evidence"}, value={"file": "audit.log", "sha256": "0" * 64, "size": 1}
            ),
        }.items(),
        1,
    ):
        forged = good.forged()
        forge(forged)
        found, detail = problems(forged, str(number))
        assert "attachments" in found and wanted in detail
    hidden = captured(tmp_path / "hidden", first, public=False)
    assert problems(hidden, "4")[0] == set()
    unlooked = good.forged()
    drop("result", verb="look-at-medium", key="inbound/look/1")(unlooked)
    assert "media" in problems(unlooked, "5")[0]
