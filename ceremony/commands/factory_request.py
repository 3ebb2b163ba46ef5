"""ceremony factory request NAME -o DIR --subject DN: an intermediate's key and CSR, with the paper form that vouches for it."""

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceremony.commands.files import print_json, say
from ceremony.errors import CeremonyError
from ceremony.pki.profiles import ALL_KEYS

if TYPE_CHECKING:
    from ceremony.factory.request import Requested, Wanted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """NAME, where to, what for, where the key is to live."""
    parser.add_argument("name", metavar="NAME", help="the intermediate's name in the ceremony script, such as alpha.1")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the intermediate's folder; must not exist")
    parser.add_argument("--subject", required=True, metavar="DN", help="such as 'CN=Example Devices Factory Alpha 1,O=Example'")
    parser.add_argument("--key", choices=ALL_KEYS, help="the kind of key; ec:secp384r1 unless given")
    parser.add_argument("--line", default="", metavar="TEXT", help="the production line, for the paper form")
    parser.add_argument("--module", type=Path, metavar="PATH", help="the PKCS#11 library of the token that is to hold the key")
    parser.add_argument("--token", metavar="LABEL-or-SERIAL", help="with --module: the token; without them the key is an encrypted file")
    parser.add_argument("--key-label", metavar="TEXT", help="with --token: the key's label there; NAME unless given")
    parser.add_argument("--existing-key", action="store_true", help="with --token: take up the key that has this label, and make none")
    parser.add_argument("--passphrase-file", type=Path, metavar="F", help="the passphrase or PIN in a file that you alone may read")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Makes the folder, and prints what two people will type."""
    from ceremony.factory.request import wanted

    nothing = "Nothing was written, and no key was made."
    if (args.module is None) != (args.token is None):
        raise CeremonyError("USAGE", "--module and --token go together.", state=nothing)
    if args.token is None and (args.key_label is not None or args.existing_key):
        raise CeremonyError("USAGE", "--key-label and --existing-key are for a key on a token.", state=nothing)
    asked = wanted(args.output, args.name, args.subject, args.key, args.line)
    made = _in_file(args, asked) if args.token is None else _on_token(args, asked)
    if args.json:
        print_json({"format": 1, **made.facts()})
        return 0
    _tell(made)
    print(made.folder)
    return 0


def _in_file(args: argparse.Namespace, asked: "Wanted") -> "Requested":
    from ceremony.factory.request import request_in_file
    from ceremony.factory.secret import new_passphrase_from
    from ceremony.machine.clock import now

    passphrase = new_passphrase_from(args.passphrase_file, f"New passphrase for the key of {asked.name}: ")
    return request_in_file(asked, passphrase, now)


def _on_token(args: argparse.Namespace, asked: "Wanted") -> "Requested":
    from ceremony.factory.request import check_label, request_on_token
    from ceremony.factory.token import login, opened_token, pin_for
    from ceremony.machine.clock import now

    untouched = "Nothing was written, and no key was made."
    label = check_label(asked.name if args.key_label is None else args.key_label)
    with opened_token(str(args.module), args.token, state=untouched) as token:
        login(token, pin_for(token, args.passphrase_file, state=untouched), state=untouched)
        return request_on_token(asked, token, args.module, label, existing=args.existing_key, clock=now)


def _attribute_lines(attributes: dict[str, Any]) -> list[str]:
    as_wanted = [f"{name} {reading['value']}" for name, reading in attributes.items() if reading["verdict"] == "as-wanted"]
    unknown = [name for name, reading in attributes.items() if reading["verdict"] != "as-wanted"]
    lines = textwrap.wrap(f"as wanted: {', '.join(as_wanted)}", 76)
    lines += textwrap.wrap(f"can't say: {', '.join(unknown)}", 76) if unknown else []
    return [f"  {line}" for line in lines]


def _tell(made: "Requested") -> None:
    say(f"{made.name}: {made.subject}", f"  {made.key_type}; {made.where}")
    if made.attributes:
        say("", "What the token says of the key (asserted by its module):", *_attribute_lines(made.attributes))
    say("", "On the paper form, which travels apart from the medium (first and second eight words):")
    say(f"  {' '.join(made.words[:8])}", f"  {' '.join(made.words[8:16])}", f"  SHA-256 of the key: {made.spki_sha256}", "")
    say(f"To do: print {made.form}, compare, sign, and send it to the room by another way than the CSR.")
    say(f"       pack the CSR: ceremony online request -o REQUEST --csr {made.name}={made.csr}")
