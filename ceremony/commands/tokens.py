"""ceremony tokens: every token that a module sees, with what it says of itself."""

import argparse
from pathlib import Path

from ceremony.commands.files import print_json
from ceremony.machine.site import read_site
from ceremony.pki.names import shown_text
from ceremony.room.inspect_module import inspected


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Module or site file, --json."""
    parser.add_argument("--module", type=Path, metavar="PATH", help="the PKCS#11 module (default: the site file's, else SoftHSM, empty)")
    parser.add_argument("--site", type=Path, help="site file")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Prints them."""
    module, tokens = inspected(read_site(args.site), args.module)
    if args.json:
        told = [{**token.facts(), "abilities": abilities.facts()} for token, abilities in tokens]
        print_json({"format": 1, "module": module.facts(), "tokens": told})
        return 0
    software = " (SOFTWARE: for rehearsals only)" if module.software else ""
    print(f"{shown_text(module.description)} {module.library_version} by {shown_text(module.manufacturer)}{software}")
    print(f"  {module.path}", f"  SHA-256 {module.sha256}", sep="\n")
    for token, abilities in tokens:
        name = f"label {shown_text(token.label)!r}" if token.initialised else "blank"
        print(f"Token: {name}, serial {shown_text(token.serial) or '(none yet)'}")
        print(f"  {shown_text(token.manufacturer)} {shown_text(token.model)}, firmware {token.firmware_version}")
        print(f"  PIN tries: user {token.pin_tries}, SO {token.so_pin_tries}; PIN length {token.shortest_pin} to {token.longest_pin}")
        print(f"  keys: {', '.join(key for key, why in abilities.keys.items() if not why) or 'none that a root may have'}")
        reasons = (*abilities.keys.values(), abilities.initialisation, abilities.so_pin, abilities.pin_change, abilities.random)
        for why in filter(None, dict.fromkeys(reasons)):
            print(f"  cannot: {why}")
    if not tokens:
        print("It sees no token.")
    return 0
