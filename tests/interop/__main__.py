"""Measures every software token that is here, holds a first ceremony on each, and prints the table; --write puts it into docs/tokens.md.

Run by `make interop`, in the namespace of tests/hsm/namespace.sh. Ends with 1 when a token could do less than was foretold.
"""

import platform
import re
import subprocess
import sys
from pathlib import Path

from tests.hsm.stands import STANDS, lacks
from tests.interop.first_ceremony import first_ceremony
from tests.interop.measure import ROWS, measured

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "tokens.md"
_BEGIN, _END = "<!-- begin: make interop -->\n", "<!-- end: make interop -->\n"
_PACKAGES = {
    "softhsm": "libsofthsm2", "p11-kit": "p11-kit-modules", "tpm2-pkcs11": "libtpm2-pkcs11-1", "nss": "libnss3",
    "opencryptoki": "libopencryptoki0",
}  # fmt: skip
_FIRST_CEREMONY = "a whole first ceremony"


def main() -> int:
    """Prints the table as Markdown."""
    told = {}
    for name in STANDS:
        if why := lacks(name):
            print(f"{name}: {why}", file=sys.stderr)
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        told[name] = measured(name)
        root_key = next((kind for kind in ("ec:secp384r1", "rsa:3072") if told[name][kind].startswith("yes")), "ec:secp384r1")
        told[name][_FIRST_CEREMONY] = first_ceremony(name, root_key)
    text = _table(told)
    print(text)
    if "--write" in sys.argv:
        page = _PAGE.read_text(encoding="utf-8")
        before, after = page[: page.index(_BEGIN) + len(_BEGIN)], page[page.index(_END) :]
        _PAGE.write_text(before + text + after, encoding="utf-8")
    held = [name for name in told if told[name][_FIRST_CEREMONY].startswith("yes")]
    print(f"A whole first ceremony on {len(held)} modules: {', '.join(held)}.", file=sys.stderr)
    return int("NOT FORETOLD" in text or len(held) < 3)


def _table(told: dict[str, dict[str, str]]) -> str:
    head = ["ability", *told]
    reasons: list[str] = []
    lines = [f"Measured on {_system()}.\n", _row(head), "|---" * len(head) + "|"]
    lines.append(_row(["Debian package", *(_version(_PACKAGES[name]) for name in told)]))
    for row in (*ROWS, _FIRST_CEREMONY):
        lines.append(_row([row, *(_cell(column[row], reasons) for column in told.values())]))
    return "\n".join([*lines, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(answer: str, reasons: list[str]) -> str:
    """The answer on one line; the reason of a "no" goes below the table."""
    no, colon, reason = answer.replace("|", "/").replace("\n", " ").partition(": ")
    if not (colon and no.startswith("no")):
        return answer
    if reason not in reasons:
        reasons.append(reason)
    return f"{no} [{reasons.index(reason) + 1}]"


def _version(package: str) -> str:
    """As dpkg has it installed, or as `make interop` and `make setup` unpacked it."""
    unpacked = _ROOT / ".venv" / "interop"
    if found := re.search(rf"(?m)^{re.escape(package)} (\S+)$", unpacked.read_text() if unpacked.exists() else ""):
        return found[1]
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False)
    return said.stdout or "as unpacked"


def _system() -> str:
    return f"{platform.freedesktop_os_release().get('PRETTY_NAME', 'an unnamed system')}, {platform.machine()}"


if __name__ == "__main__":
    sys.exit(main())
