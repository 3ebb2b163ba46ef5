"""Rule 6: people sign with credentials of their own. Wrong passphrases, wrong media, interruptions; the token is in memory."""

from pathlib import Path

import pytest

from ceremony.activation.credential_file import new_credential
from ceremony.crossing.verify import verify_bundle
from ceremony.engine.step import Ask, Interrupt, Secret
from ceremony.errors import CeremonyError
from ceremony.pki.key_wrapping import Work
from ceremony.script import read_script
from tests.credentials import PASSPHRASE, credential, file_of, write_credentials
from tests.engine.memory_room import World, held, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import acts, assert_right_end, lines_of, of, recovered

AGAIN = {"after-error": "again"}


def errors_of(world: World) -> list[str]:
    return [line.data["error"]["code"] for line in acts(world, "sign-statement", "result") if "error" in line.data]


def test_the_confirmers_sign_in_each_step_that_makes_or_uses_the_root_and_all_sign_off(world: World) -> None:
    held_to_the_end(world, People(world))
    kinds = {line.step: line.data["kind"] for line in of(world, "step-started")}
    signed = [(kinds[line.step], line.data["args"]["statement"].get("key")) for line in acts(world, "sign-statement")]
    assert [entry for entry in signed if entry[1]] == [
        ("initialise-token", "agree"),
        ("generate-root", "agree"),
        ("generate-root", "seen/witness-1"),
        ("certify-root", "root/confirm"),
        ("prove-possession", "proofs/1/confirm"),
        ("sign-intermediates", "batch/1/confirm"),
    ]
    assert [kind for kind, key in signed if key is None] == ["crossing"] * 4 + ["close"] * 4
    assert lines_of(world)[0].data["credentials"] == {}
    assert_right_end(world)


def test_wrong_passphrases_have_no_limit_and_each_try_is_recorded(world: World) -> None:
    tries: list[str] = []

    def typed(secret: Secret) -> bytes | None:
        if secret.what != "passphrase of Jon Vik" or len(tries) == 12:
            return None
        tries.append(secret.by)
        return b"not the one"

    held_to_the_end(world, People(world, secrets_told=typed, told=lambda ask: AGAIN.get(ask.key)))
    assert tries == ["auditor"] * 12
    assert errors_of(world) == ["CREDENTIAL-PASSPHRASE"] * 12
    assert_right_end(world)


def test_a_pause_at_any_passphrase_is_gone_on_from(world: World) -> None:
    stopped: set[str] = set()

    def typed(secret: Secret) -> Interrupt | None:
        place = f"{len(of(world, 'step-finished'))} {secret.shown[0]}" if secret.kind == "passphrase" else ""
        if not place or place in stopped:
            return None
        stopped.add(place)
        return Interrupt(kind="pause")

    held_to_the_end(world, People(world, secrets_told=typed), most_sessions=40)
    assert len(stopped) == 14, "six confirmations, and four who sign off at each of two seals"
    assert len(recovered(lines_of(world), "sign-statement", "done-again")) == 14
    assert_right_end(world)


def only_holds(world: World, *names: str) -> None:
    for path in world.credentials.iterdir():
        path.unlink()
    if names:
        write_credentials(world.credentials, *names)


def stopped_for(world: World) -> str:
    """What is said when the medium is looked for at the first statement; people then pause."""
    people = People(world, told=lambda ask: "pause" if ask.key == "after-error" else None)
    assert held(world, people).reason == "error"
    return " ".join(people.errors())


def test_another_person_s_medium_is_named_and_not_taken(world: World) -> None:
    only_holds(world, "Nils Berg", "Ida Moe")
    (world.credentials / "stranger.pem").write_bytes(new_credential(bytearray(b"any"), Work(16, 8, 1)))
    (world.credentials / "broken.pem").write_bytes(b"-----BEGIN PUBLIC KEY-----\n")
    (world.credentials / "link.pem").symlink_to("nils-berg.pem")
    (world.credentials / "notes.txt").write_text("not looked at")
    said = stopped_for(world)
    assert "Code: CREDENTIAL-NOT-IN-ROSTER" in said
    assert f"does not hold the credential of Eva Lund ({credential('Eva Lund')})" in said
    assert "nils-berg.pem: the credential of Nils Berg (officer)" in said
    assert "ida-moe.pem: the credential of Ida Moe (witness-1)" in said
    assert "stranger.pem: ed25519:" in said and "broken.pem: it holds no block ENCRYPTED PRIVATE KEY" in said
    assert "notes" not in said and "link" not in said
    only_holds(world, "Kari Holm", "Nils Berg", "Eva Lund", "Jon Vik")
    held_to_the_end(world, People(world))
    assert_right_end(world)


def test_an_empty_medium_and_none_at_all_are_told_apart_from_a_wrong_one(world: World) -> None:
    only_holds(world)
    assert "Code: CREDENTIAL-NOT-FOUND" in stopped_for(world)
    world.credentials.rmdir()
    assert "Code: CREDENTIAL-NOT-FOUND" in stopped_for(world)


def test_a_file_whose_keys_do_not_belong_together_signs_nothing(world: World) -> None:
    public = file_of("Eva Lund").partition(b"-----BEGIN ENCRYPTED")[0]
    private = file_of("Nils Berg").removeprefix(file_of("Nils Berg").partition(b"-----BEGIN ENCRYPTED")[0])
    (world.credentials / "eva-lund.pem").write_bytes(public + private)
    assert "Code: CREDENTIAL-BROKEN" in stopped_for(world)
    assert errors_of(world) == ["CREDENTIAL-BROKEN"]


def test_an_alternate_signs_with_their_own_credential(world: World) -> None:
    only_holds(world, "Kari Holm", "Nils Berg", "Ida Moe", "Jon Vik")
    held_to_the_end(world, People(world, told=lambda ask: "Ida Moe" if ask.key == "who/witness-1" else None))
    signed = {line.data["name"]: line.data["credential"] for line in of(world, "signed-off")}
    assert signed["Ida Moe"] == credential("Ida Moe") and "Eva Lund" not in signed
    assert_right_end(world)


def test_an_order_after_an_interruption_is_signed_by_its_confirmer(world: World) -> None:
    world.faults.act = lambda key, when: (
        CeremonyError("INTERNAL", "made up", outcome_unknown=True) if (key, when) == ("root/sign/example-root-g1", "before") else None
    )
    told = lambda ask: "pause" if ask.key == "after-error" else None  # noqa: E731
    assert held(world, People(world, told=told)).reason == "error"
    world.faults.act = lambda key, when: None
    held_to_the_end(world, People(world))
    (again,) = [line for line in acts(world, "sign-statement") if line.data["key"].endswith("confirm-again/signed")]
    assert again.data["recovery"] is True and again.data["args"]["statement"]["digest"]
    assert_right_end(world)


def test_an_interruption_while_an_order_is_given_again_begins_the_order_anew(world: World) -> None:
    world.faults.act = lambda key, when: (
        CeremonyError("INTERNAL", "made up", outcome_unknown=True) if (key, when) == ("root/sign/example-root-g1", "before") else None
    )
    told = lambda ask: "pause" if ask.key == "after-error" else None  # noqa: E731
    assert held(world, People(world, told=told)).reason == "error"
    world.faults.act = lambda key, when: None
    stopped = iter([Interrupt(kind="pause")])
    assert held(world, People(world, secrets_told=lambda secret: next(stopped, None) if secret.kind == "passphrase" else None)).reason
    people = People(world)
    held_to_the_end(world, people)
    assert "root/sign/example-root-g1/order-again" in people.asked_keys()
    assert_right_end(world)


def test_no_passphrase_stands_in_the_folder_or_on_a_medium(world: World) -> None:
    held_to_the_end(world, People(world))
    files = [path for path in world.base.rglob("*") if path.is_file()]
    assert len(files) > 40
    assert not [path for path in files if PASSPHRASE.encode() in path.read_bytes()]


@pytest.mark.parametrize("rehearsal", [True, False])
def test_a_rehearsal_makes_credentials_up_and_a_ceremony_takes_the_scripts(place: Path, rehearsal: bool) -> None:
    world = World(place / "rehearsal", rehearsal=rehearsal).made()

    def told(ask: Ask) -> str | None:
        return "leave" if ask.key == "go-on" else None

    held_to_the_end(world, People(world, told=told))
    roster = dict(read_script(world.script).roster())
    used = {line.data["name"]: line.data["credential"] for line in of(world, "signed-off")}
    assert all((roster[name] == text) is not rehearsal for name, text in used.items())
    made_up = lines_of(world)[0].data["credentials"]
    assert set(made_up) == ({"admin", "officer", "witness-1", "auditor"} if rehearsal else set())
    assert verify_bundle(world.folder / "bundles" / "2").exit_code == 8
