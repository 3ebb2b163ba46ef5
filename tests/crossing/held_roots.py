"""Later ceremonies of a chain that has two roots: a second one comes in, and then either of them signs, while both are carried on."""

from pathlib import Path

from tests.crossing.held_ceremony import HeldCeremony, going_on, new_root_key
from tests.crossing.held_crl import issue_crl, scripted

G1, G2 = "example-root-g1", "example-root-g2"
ROOT_1, ROOT_2 = (f"root/{label}.cert.pem" for label in (G1, G2))
CRL_1, CRL_2 = (f"crl/{label}.crl.pem" for label in (G1, G2))
CRL_TABLE = "[crl]\nnext_update = 2027-12-31T00:00:00Z\n"
_START = ("roll-call", "check-clock", "check-machine")


def of_second(script: bytes) -> bytes:
    """The script as one of the second root."""
    return script.replace(b"example-root-g1", b"example-root-g2").replace(b"Root CA G1", b"Root CA G2")


def second_root(folder: Path, previous: HeldCeremony, *, carried: tuple[str, ...] = (ROOT_1,), **smuggled: bytes) -> HeldCeremony:
    """A ceremony in the chain of the first root that makes a second one; `smuggled` are roots by label that it takes from elsewhere."""
    script = of_second(scripted((*_START, "generate-root", "certify-root", "close"), previous, ""))
    ceremony = HeldCeremony(folder, script, **going_on(previous))
    ceremony.root_key, ceremony.carried = new_root_key(ceremony.tables.root.key), carried
    ceremony.prepare()
    ceremony.make_root()
    # As generate-root does first of all: for the record it is the same, wherever in the step.
    end = ceremony.lines.pop()
    ceremony.carry_on()
    for label, pem in smuggled.items():
        ceremony.write_file(f"root/{label}.cert.pem", pem)
    ceremony.lines.append(end)
    ceremony.seal("close")
    return ceremony


def crl_of(folder: Path, previous: HeldCeremony, root: HeldCeremony, *, carried: tuple[str, ...], revoke: str = "") -> HeldCeremony:
    """A later ceremony that issues the CRL of this root, whichever made the ceremony before."""
    script = scripted((*_START, "use-root", "issue-crl", "close"), previous, CRL_TABLE + revoke)
    script = of_second(script) if root.tables.root.label == G2 else script
    ceremony = HeldCeremony(folder, script, **going_on(previous))
    ceremony.root_key, ceremony.root_der, ceremony.carried = root.root_key, root.root_der, carried
    ceremony.prepare()
    ceremony.use_root()
    issue_crl(ceremony)
    ceremony.seal("close")
    return ceremony


