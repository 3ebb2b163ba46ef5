"""sign-statement with a credential on a person's own PKCS#11 token (SoftHSM), beside the ceremony's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ceremony.activation.roster import roster_text_of_der, signature_holds
from ceremony.activation.statements import SIGN_OFF, signed_octets
from ceremony.engine.step import Act, Secret
from ceremony.errors import CeremonyError
from ceremony.machine.folder import CeremonyFolder
from ceremony.machine.site import CredentialToken, Site
from ceremony.room.room import TokenRoom
from ceremony.script import read_script
from ceremony.words import sha256_hex
from hsm.client import Module
from hsm.softhsm import throw_away
from tests.credentials import credential
from tests.engine.memory_room import FIRST_CEREMONY, World, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import assert_right_end, of
from tests.hsm.given import USER_PIN, initialise

LINE = b'{"the last line":1}\n'


@pytest.fixture
def credentials(softhsm: Path, tmp_path: Path) -> tuple[dict[str, str], list[str]]:
    """The environment of two tokens of people's own, and the credentials that are on them."""
    environment = throw_away(tmp_path / "own")
    made = []
    with Module.start(softhsm, environment) as module:
        for label in ("Eva Lund", "Jon Vik"):
            token = module.token(blank=True)
            initialise(token, label)
            token = module.token(label=label)
            token.login(bytearray(USER_PIN))
            made.append(roster_text_of_der(token.generate_key("ec:secp256r1", "root-ceremony", b"\x07" * 16).public_key_der))
            token.logout()
    return environment, made


@pytest.fixture
def room(credentials: tuple[dict[str, str], list[str]], softhsm: Path, tmp_path: Path) -> Iterator[TokenRoom]:
    with CeremonyFolder.create(tmp_path / "ceremony") as folder:
        folder.transcript_path.write_bytes(b'{"first":1}\n' + LINE + b"torn")
        tokens = {"witness-1": CredentialToken(softhsm, "Eva Lund")}
        made = TokenRoom(
            folder=folder,
            script=read_script(FIRST_CEREMONY.read_bytes()),
            site=Site(environment=credentials[0], credentials=tokens),
            module_path=softhsm,
            environment={},
            rehearsal=False,
            inbox=None,
            outbox=None,
        )
        yield made
        made.close()


def signed(room: TokenRoom, credential: str, pin: bytes = USER_PIN, by: str = "witness-1") -> tuple[dict[str, Any], dict[str, Any]]:
    statement = {"context": SIGN_OFF, "role": "witness", "statement": "as-written", "note": "", "credential": credential}
    args = {"participant": by, "name": "Eva Lund", "credential": credential, "statement": statement}
    asked: list[Secret] = []

    def typed(secret: Secret) -> bytearray:
        asked.append(secret)
        return bytearray(pin)

    value = room.do(Act(key="sign", verb="sign-statement", args=args), typed)
    assert asked[0].kind == "pin" and "Eva Lund" in asked[0].what and asked[0].suggestion is None
    return statement, value


def test_the_token_signs_over_the_last_line(room: TokenRoom, credentials: tuple[dict[str, str], list[str]]) -> None:
    credential = credentials[1][0]
    statement, value = signed(room, credential)
    assert value["line"] == sha256_hex(LINE), "a torn line was never announced"
    assert signature_holds(credential, signed_octets(statement, value["line"]), bytes.fromhex(value["signature"]))


def test_what_does_not_sign_is_told(room: TokenRoom, credentials: tuple[dict[str, str], list[str]]) -> None:
    theirs, another = credentials[1]
    with pytest.raises(CeremonyError) as refused:
        signed(room, theirs, pin=b"not-the-pin")
    assert refused.value.code == "TOKEN-PIN-WRONG" and refused.value.insist == ""
    with pytest.raises(CeremonyError) as refused:
        signed(room, another)
    assert refused.value.code == "CREDENTIAL-NOT-IN-ROSTER" and theirs in refused.value.what
    with pytest.raises(CeremonyError) as refused:
        signed(room, theirs, by="auditor")
    assert refused.value.code == "CREDENTIAL-NOT-FOUND" and "[credentials.auditor]" in refused.value.do_now


def test_a_ceremony_whose_witness_signs_with_a_token_and_the_others_with_files(
    credentials: tuple[dict[str, str], list[str]], softhsm: Path, tmp_path: Path
) -> None:
    world = World(tmp_path / "world").made()
    theirs = credentials[1][0]
    world.script = world.script.replace(credential("Eva Lund").encode(), theirs.encode())
    world.site = Site(environment=credentials[0], credentials={"witness-1": CredentialToken(softhsm, "Eva Lund")})
    held_to_the_end(world, People(world, secrets_told=lambda secret: USER_PIN if secret.what == "PIN of Eva Lund" else None))
    kinds = {line.data["name"]: line.data["credential"].rpartition(":")[0] for line in of(world, "signed-off")}
    assert kinds == {"Eva Lund": "ec:secp256r1", "Jon Vik": "ed25519", "Kari Holm": "ed25519", "Nils Berg": "ed25519"}
    assert_right_end(world)
