"""attest-key in a first ceremony, in memory: what does not hold is refused and asked for again; a rehearsal makes its chain up."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.crossing.verify import verify_bundle
from ceremony.engine.step import Interrupt
from ceremony.pki.attestation import AttestationTable, chain_pem
from ceremony.room.made_up_attestation import make_up_chain
from ceremony.script import ScriptRefused, read_script
from ceremony.words import sha256_hex
from tests.credentials import with_credentials
from tests.engine.memory_room import FIRST_CEREMONY, World, held, held_to_the_end
from tests.engine.memory_token import SERIAL
from tests.engine.people import People
from tests.engine.right_end import acts, assert_right_end, lines_of

_STEP = '[[steps]]\nkind = "attest-key"\ntitle = "The vendor attests the key"\nactor = "admin"\nconfirm = ["witness-1"]\n\n'
_TABLE = AttestationTable(vendor_root="0" * 64, certificates=3)
_TABLE_TEXT = f'[attestation]\nvendor_root = "{"0" * 64}"\ncertificates = 3\n\n'
PLACE = f"attestation/{SERIAL.lower()}/example-root-g1.chain.pem"


def script() -> bytes:
    """The first ceremony, with the key attested after its certificate."""
    text = with_credentials(FIRST_CEREMONY.read_bytes()).decode()
    after = text.index("[[steps]]", text.index('kind = "certify-root"'))
    return (text[:after] + _STEP + text[after:]).replace("[activation]", f"{_TABLE_TEXT}[activation]", 1).encode()


def test_a_chain_that_does_not_hold_is_refused_and_the_next_one_taken(place: Path) -> None:
    """The vendor's tool runs once the key is there. Its root must be known before, so the medium brings another vendor's first."""
    world = World(place / "world", script=script()).made()
    world.inbox.joinpath("attestation").mkdir()

    def fetched(what: str) -> None:
        if what == "line step-started" and lines_of(world)[-1].data["kind"] == "attest-key":
            (pair,) = world.store.pairs.values()
            chain = make_up_chain(pair.public_der, _TABLE, SERIAL)
            world.inbox.joinpath("attestation", "chain.pem").write_bytes(chain_pem(chain))

    world.changed = fetched
    once_more = Interrupt(kind="pause", by="admin")
    people = People(world, told=lambda ask: once_more if ask.key == "medium/3" else None)
    assert held(world, people).reason == "operator"
    refused = [ask for ask in people.asked if ask.key.startswith("refused/")]
    assert [ask.key for ask in refused] == ["refused/1", "refused/2"]
    assert "not the vendor's that the script names" in refused[0].shown[0]
    assert not [line for line in acts(world, "write-artifact") if "attestation" in str(line.data)]


def test_a_vendors_chain_for_the_root_key_is_kept_and_verified(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor of this test cannot know its root before the key: the script's pin is set when the chain is made."""
    from ceremony.pki import attestation

    world = World(place / "world", script=script()).made()
    world.inbox.joinpath("attestation").mkdir()
    pinned: dict[str, str] = {}

    def fetched(what: str) -> None:
        if what == "line step-started" and lines_of(world)[-1].data["kind"] == "attest-key":
            (pair,) = world.store.pairs.values()
            chain = make_up_chain(pair.public_der, _TABLE, SERIAL)
            pinned["root"] = sha256_hex(chain[-1].public_bytes(Encoding.DER))
            world.inbox.joinpath("attestation", "chain.pem").write_bytes(chain_pem(chain))

    world.changed = fetched
    usual = attestation._sha256

    def as_the_script_has_it(certificate: x509.Certificate) -> str:
        return "0" * 64 if usual(certificate) == pinned.get("root") else usual(certificate)

    monkeypatch.setattr(attestation, "_sha256", as_the_script_has_it)
    held_to_the_end(world, People(world))
    assert_right_end(world)
    kept = (world.folder / "bundles" / "2" / PLACE).read_bytes()
    assert kept == world.inbox.joinpath("attestation", "chain.pem").read_bytes()
    finished = next(line for line in lines_of(world) if line.type == "step-finished" and "root_attested" in line.data["products"])
    assert finished.data["products"]["root_attested"]["made_up"] is False


def test_a_rehearsal_makes_the_chain_up_and_says_so(place: Path) -> None:
    world = World(place / "world", script=script(), rehearsal=True).made()
    people = People(world)
    held_to_the_end(world, people)
    assert verify_bundle(world.folder / "bundles" / "2", fingerprint=world.paper[-1]).word == "GOOD"
    assert "REHEARSAL vendor root" in (world.folder / "transcript.jsonl").read_text()
    assert any("made the chain up" in line for notice in people.notices for line in notice.lines)


def test_nothing_on_the_medium_and_nothing_attested(place: Path) -> None:
    world = World(place / "world", script=script()).made()
    assert held(world, People(world, told=lambda ask: "pause" if ask.key == "after-error" else None)).reason == "error"
    assert [line.data["error"]["code"] for line in acts(world, "import-attestation", "result") if "error" in line.data][:1] == [
        "MEDIUM-NO-ATTESTATION"
    ]


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        (script().replace(_TABLE_TEXT.encode(), b""), "the script has no [attestation]"),
        (script().replace(_STEP.encode(), b""), "no step attest-key"),
        (script().replace(b"certificates = 3", b"certificates = 1"), "attestation.certificates"),
        (script().replace(b'vendor_root = "0', b'vendor_root = "'), "attestation.vendor_root"),
    ],
)
def test_scripts_that_cannot_hold(spoilt: bytes, told: str) -> None:
    with pytest.raises(ScriptRefused) as refused:
        read_script(spoilt)
    assert any(told in f"{problem.where}: {problem.what}" for problem in refused.value.problems)


def test_a_key_of_an_earlier_ceremony_is_not_attested_later() -> None:
    text = FIRST_CEREMONY.with_name("check-token.toml").read_text()
    after = text.index("[[steps]]", text.index('kind = "use-root"'))
    with pytest.raises(ScriptRefused, match="in the ceremony that makes it"):
        read_script((text[:after] + _STEP + text[after:]).replace("[activation]", f"{_TABLE_TEXT}[activation]", 1).encode())
