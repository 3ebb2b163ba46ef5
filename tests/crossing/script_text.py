"""Ceremony scripts for held ceremonies: the people, and any steps."""

from tests.credentials import credential

PEOPLE = {"admin": ("Kari Holm", "administrator"), "officer": ("Nils Berg", "crypto-officer"), "witness-1": ("Eva Lund", "witness")}

_HEAD = """
format = 1
id = "example-root-2026"
title = "Example Devices root key ceremony"
policy = "private-iot-root"
evidence = "witness"
{previous}
[window]
from = 2026-11-24
to = 2026-12-18

[root]
subject = "CN=Example Devices Root CA G1,O=Example,C=NO"
key = "ec:secp384r1"
label = "example-root-g1"
not_after = 2046-11-19T00:00:00Z

[profiles.factory]
not_after = 2031-11-19T00:00:00Z
extended_key_usage = ["clientAuth"]
subject = "CN=*,O=Example"
"""
_STEP = '\n[[steps]]\nkind = "{kind}"\ntitle = "{title}"\nactor = "{actor}"\nconfirm = ["witness-1"]\n'
_OFFICERS = (
    *("generate-root", "certify-root", "prove-possession", "sign-intermediates"),
    *("issue-crl", "cross-certify", "use-root", "check-token", "destroy-key", "prove-backup", "wipe-token"),
    *("report-loss", "capture-hsm-log", "attest-key"),
)
FIRST_SESSION = ("roll-call", "check-clock", "check-machine", "generate-root", "certify-root", "crossing")
SECOND_SESSION = ("roll-call", "check-clock", "check-machine", "import-request", "prove-possession", "sign-intermediates", "close")
LATER_CEREMONY = ("roll-call", "check-clock", "check-machine", "use-root", "import-request", "sign-intermediates", "close")


def script_of(kinds: tuple[str, ...], names: tuple[str, ...], *, proof: bool, previous: str | None = None) -> bytes:
    """A script (TOML) with these steps and intermediates."""
    text = _HEAD.format(previous=f'\n[previous]\nfingerprint = "{previous}"\n' if previous else "")
    text += "".join(f'\n[[intermediates]]\nname = "{name}"\nprofile = "factory"\n' for name in names)
    text += '\n[[proofs]]\nservice = "example-dps"\ncertificate = "example-root-g1"\n' * proof
    for id, (name, role) in PEOPLE.items():
        text += f'\n[[participants]]\nid = "{id}"\nname = "{name}"\nrole = "{role}"\ncredential = "{credential(name)}"\n'
    # The last, the witness, may be stood in for.
    text += f'alternates = [{{ name = "Ida Moe", credential = "{credential("Ida Moe")}" }}]\n'
    actors = dict.fromkeys(_OFFICERS, "officer")
    text += "".join(_STEP.format(kind=kind, title=f"Now {kind}", actor=actors.get(kind, "admin")) for kind in kinds)
    return text.encode()
