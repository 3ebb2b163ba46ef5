"""sign-statement: somebody in the room signs with a credential of their own, in a file on their medium or on their token (rule 6)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceremony.activation.credential_file import LARGEST_FILE, credential_in, sign_with_file
from ceremony.activation.roster import EC_P256, is_example, roster_text_of_der, signature_holds
from ceremony.activation.statements import CONFIRMATION, OVERRIDE, SIGN_OFF, signed_octets
from ceremony.engine.step import AskSecret, Secret
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.room.failures import telling
from ceremony.room.room_secrets import wipe
from ceremony.room.verb import Verb
from ceremony.script import Script
from ceremony.transcript import last_line_sha256
from hsm.client import Module, Token
from hsm.facts import TRIES_IN_WORDS
from hsm.softhsm import softhsm_at

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom

REHEARSAL_PASSPHRASE = "rehearsal-passphrase"  # noqa: S105 - what a rehearsal offers to type, so that no real one ever is
REHEARSAL_OWN_PIN = "rehearsal-own-pin"
"""The same for the PIN of somebody's own token."""
CREDENTIAL_TOKEN = "rehearsal-credential"  # noqa: S105 - a label
"""Label of each token that a rehearsal makes up for a credential."""
LONGEST_PASSPHRASE = 1024
"""Bytes of a passphrase."""

_MOST_FILES = 64
_NOT_SIGNED = "Nothing was signed. The record is whole, and says so."


class SignStatement(Verb):
    """Returns the signature (hex), the credential, and `line`: SHA-256 (hex) of the record's last line, which is signed with the rest."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Asks for passphrase or PIN, then signs. `credential` is the roster's for `name`, who is here as `participant`.

        Raises CeremonyError CREDENTIAL-… and, for a credential on a token, what the token's side refuses.
        """
        credential = args["credential"]
        try:
            with telling(_NOT_SIGNED):
                sign = _on_token if credential.startswith(EC_P256) else _in_file
                line, signature = sign(room, args, secret)
        except CeremonyError as failed:
            failed.state = failed.state or _NOT_SIGNED
            # The last try of somebody's own PIN is not used here: they unlock their token elsewhere.
            failed.insist = ""
            raise
        if not signature_holds(credential, signed_octets(args["statement"], line), signature):
            raise CeremonyError("CREDENTIAL-BROKEN", f"What was made is no signature of {credential}.", state=_NOT_SIGNED)
        return {"signature": signature.hex(), "line": line, "credential": credential}


def _in_file(room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> tuple[str, bytes]:
    if room.credentials is None:
        what = f"It is not said where the medium with the credential of {args['name']} is."
        do_now = "Pause, and resume with --credentials DIR; or name [media] credentials in the site file."
        raise CeremonyError("CREDENTIAL-NOT-FOUND", what, do_now=do_now)
    where = () if room.rehearsal else (f"The medium with it must be at {shown_text(str(room.credentials))}: put it in.",)
    passphrase = secret(
        Secret(
            what=f"passphrase of {args['name']}",
            by=args["participant"],
            kind="passphrase",
            longest=LONGEST_PASSPHRASE,
            shown=(*_what_is_signed(args), *where),
            suggestion=REHEARSAL_PASSPHRASE if room.rehearsal else None,
        )
    )
    try:
        # After the passphrase: what was recorded meanwhile belongs to what is signed.
        line = _last_line(room)
        return line, sign_with_file(_file_of(room, args), passphrase, signed_octets(args["statement"], line))
    finally:
        wipe(passphrase)


def _file_of(room: "TokenRoom", args: dict[str, Any]) -> bytes:
    """The file on the medium whose public key is this credential; its name does not matter."""
    found: list[str] = []
    assert room.credentials is not None  # noqa: S101 - looked at before the passphrase was asked for
    try:
        paths = sorted(room.credentials.glob("*.pem"))[:_MOST_FILES]
        for path in paths:
            if path.is_symlink() or not path.is_file():
                continue
            with path.open("rb") as file:
                pem = file.read(LARGEST_FILE + 1)
            try:
                credential = credential_in(pem)
            except ValueError as why:
                found.append(f"{shown_text(path.name)}: {why}")
                continue
            if credential == args["credential"]:
                return pem
            found.append(f"{shown_text(path.name)}: {_whose(room, credential)}")
    except OSError as failed:
        found.append(f"not to be read: {failed.strerror}")
    raise _not_there(args, found, str(room.credentials))


def _on_token(room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> tuple[str, bytes]:
    library, environment, label = _token_of(room, args)
    with Module.start(library, environment) as module:
        token = module.token(label=label)
        info = token.info()
        shown = (*_what_is_signed(args), f"Token {info.label!r}, serial {info.serial}. Tries: {TRIES_IN_WORDS[info.pin_tries]}.")
        what, (shortest, longest) = f"PIN of {args['name']}", (max(info.shortest_pin, 1), info.longest_pin)
        pin = None
        if not info.protected_path:
            suggestion = REHEARSAL_OWN_PIN if room.rehearsal else None
            asked = Secret(what=what, by=args["participant"], shortest=shortest, longest=longest, shown=shown, suggestion=suggestion)
            pin = secret(asked)
        try:
            token.login(pin)
        finally:
            wipe(pin or bytearray())
        line, key_id = _last_line(room), _key_on(token, room, args)
        return line, token.sign(key_id, "ecdsa-sha256", signed_octets(args["statement"], line)).signature


def _token_of(room: "TokenRoom", args: dict[str, Any]) -> tuple[Path, dict[str, str], str]:
    """Module, its environment and the token's label: by the site file, or what the rehearsal made up."""
    if room.rehearsal and room.credentials is not None:
        place = rehearsed_place(room.credentials, room.script, args["participant"], args["name"])
        return room.softhsm, softhsm_at(place), CREDENTIAL_TOKEN
    named = room.site.credentials.get(args["participant"])
    if named is None:
        what = f"It is not said on which token the credential of {args['name']} is."
        do_now = f"The site file needs [credentials.{args['participant']}] with module and token."
        raise CeremonyError("CREDENTIAL-NOT-FOUND", what, do_now=do_now)
    return named.module, dict(room.site.environment), named.token


def rehearsed_place(credentials: Path, script: Script, participant: str, name: str) -> Path:
    """Where a rehearsal keeps the made-up credential of somebody: a token store, or with the ending `.pem` a file."""
    everyone = next(place.everyone for place in script.participants if place.id == participant)
    return credentials / f"{participant}-{[entry.name for entry in everyone].index(name)}"


def _key_on(token: Token, room: "TokenRoom", args: dict[str, Any]) -> bytes:
    found = []
    for key_id in sorted({entry.key_id for entry in token.inventory() if entry.object_class == "PRIVATE_KEY" and entry.key_id}):
        key = token.find_key(bytes.fromhex(key_id))
        try:
            credential = roster_text_of_der(key.public_key_der) if key and key.has_private and key.public_key_der else ""
        except ValueError:
            credential = ""
        if credential == args["credential"]:
            return bytes.fromhex(key_id)
        found.append(f"key {key_id}: {_whose(room, credential)}")
    raise _not_there(args, found, "the token")


def _whose(room: "TokenRoom", credential: str) -> str:
    """Whom the roster names for a credential that was found and not looked for."""
    for participant in room.script.participants:
        for entry in participant.everyone:
            if entry.credential and entry.credential == credential:
                return f"the credential of {shown_text(entry.name)} ({participant.id})"
    return credential or "of a kind that is no credential"


def _not_there(args: dict[str, Any], found: list[str], where: str) -> CeremonyError:
    wanted = f"the credential of {args['name']} ({args['credential']})"
    if found:
        return CeremonyError("CREDENTIAL-NOT-IN-ROSTER", f"{shown_text(where)} does not hold {wanted}, but: {'; '.join(found)}.")
    do_now = "The script still names an example, with which nobody can sign." if is_example(args["credential"]) else ""
    return CeremonyError("CREDENTIAL-NOT-FOUND", f"{shown_text(where)} holds no credential; wanted is {wanted}.", do_now=do_now)


def _last_line(room: "TokenRoom") -> str:
    return last_line_sha256(room.folder.transcript_path)


def _what_is_signed(args: dict[str, Any]) -> tuple[str, ...]:
    statement = args["statement"]
    said = {
        SIGN_OFF: lambda: f"sign-off, {statement['statement']} {statement['note']}".rstrip(),
        CONFIRMATION: lambda: f"step {statement['step']}, {statement['key']}: {statement['value']}",
        OVERRIDE: lambda: f"override: {statement['text']}",
    }[statement["context"]]()
    return (shown_text(f"{args['name']} signs: {said}"),)
