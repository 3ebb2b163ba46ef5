"""ceremony credential new NAME -o FILE: a person's own credential, in an encrypted file on their medium, or on their token."""

import argparse
import os
import secrets
from pathlib import Path

from ceremony.commands.credential_card import print_card, write_card
from ceremony.commands.files import say
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

_UNTOUCHED = "Nothing was written, and no key was made."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """NAME, where to."""
    parser.add_argument("name", metavar="NAME", help="the person's name, as it stands in the ceremony script")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="a new file on the person's own medium, such as name.pem")
    parser.add_argument("--module", type=Path, metavar="PATH", help="the PKCS#11 library of the person's own token")
    parser.add_argument("--token", metavar="LABEL-or-SERIAL", help="with --module: the token that is to hold the key")
    parser.add_argument("--key-label", default="root-ceremony", metavar="TEXT", help="with --token: the key's label there (root-ceremony)")
    parser.add_argument("--card", type=Path, metavar="FILE.pdf", help="the card on paper, too")
    parser.add_argument("--json", action="store_true", help="the card as JSON")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Makes the credential and prints its card."""
    if not args.name.strip() or len(args.name) > 100 or not args.name.isprintable():
        raise CeremonyError("USAGE", "The name must have 1 to 100 printable characters.", state=_UNTOUCHED)
    if (args.output is None) == (args.token is None) or (args.module is None) != (args.token is None):
        raise CeremonyError("USAGE", "A credential is in a file (-o FILE) or on a token (--module PATH --token LABEL).", state=_UNTOUCHED)
    for path in filter(None, (args.output, args.card)):
        if path.exists() or path.is_symlink():
            raise CeremonyError("FILE-EXISTS", f"{shown_text(str(path))} is there already.", state=_UNTOUCHED)
    credential, where = _in_file(args) if args.token is None else _on_token(args)
    print_card(args.name, credential, args.json)
    if args.card is not None:
        write_card(args.card, args.name, credential, where)
    say("", f"The private key is {where}.", "Give the text above to whoever writes the ceremony script, and keep the words: compare")
    say("them with what `ceremony check SCRIPT` prints for you before you approve the script.")
    return 0


def _in_file(args: argparse.Namespace) -> tuple[str, str]:
    from ceremony.activation.credential_file import credential_in, new_credential
    from ceremony.factory.secret import new_passphrase_from, wipe

    try:
        passphrase = new_passphrase_from(None, f"New passphrase for the credential of {args.name}: ")
    except CeremonyError as refused:
        if refused.code == "SECRET-NEEDS-PERSON":
            refused.do_now = "Give the command in a terminal: a passphrase is neither an argument nor in a file."
        raise
    try:
        pem = new_credential(passphrase)
    finally:
        wipe(passphrase)
    _write(args.output, pem)
    return credential_in(pem), f"in {shown_text(str(args.output))}, encrypted; make a second copy on another medium of your own"


def _write(path: Path, pem: bytes) -> None:
    """A new file that its owner alone may read, on the disk."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
    except OSError as failed:
        what = f"{shown_text(str(path))} could not be written: {failed.strerror}."
        raise CeremonyError("FILE-UNWRITABLE", what, state="The credential was not kept.") from failed


def _on_token(args: argparse.Namespace) -> tuple[str, str]:
    from ceremony.activation.roster import roster_text_of_der
    from ceremony.factory.failures import telling
    from ceremony.factory.token import login, opened_token, pin_for

    with opened_token(str(args.module), args.token, state=_UNTOUCHED) as token:
        login(token, pin_for(token, None, state=_UNTOUCHED), state=_UNTOUCHED)
        with telling("Whether the token holds a new key is not known; no card was made of it."):
            made = token.generate_key("ec:secp256r1", args.key_label, secrets.token_bytes(16))
            info = token.info()
    where = f"on the token {shown_text(info.label)}, serial {shown_text(info.serial)}, under the label {shown_text(args.key_label)}"
    return roster_text_of_der(made.public_key_der), where
