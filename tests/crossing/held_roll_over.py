"""A held roll-over: the second root comes beside the first, each signs the other's key, and alpha.1 comes under the new one."""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ceremony.pki.draft import Draft
from ceremony.pki.roll_over import NEW_WITH_OLD, OLD_WITH_NEW, cross_path, cross_profile
from tests.crossing import held_ceremony
from tests.crossing.chaining import DAY
from tests.crossing.held_ceremony import HeldCeremony, going_on, new_csr, new_root_key, spki
from tests.crossing.held_reissue import csr_of, serial_of
from tests.crossing.held_roots import G1, G2, ROOT_1
from tests.crossing.script_text import script_of

UNTIL = dt.datetime(2036, 11, 19, tzinfo=dt.UTC)
CROSS = {NEW_WITH_OLD: cross_path(G2, G1), OLD_WITH_NEW: cross_path(G1, G2)}
TABLE = f"""[roll_over]
label = "{G1}"
subject = "CN=Example Devices Root CA G1,O=Example,C=NO"
not_after = 2046-11-19T00:00:00Z
overlap_until = {UNTIL:%Y-%m-%dT%H:%M:%SZ}

"""
_KINDS = ("roll-call", "check-clock", "check-machine", "use-root", "generate-root", "certify-root", "cross-certify")
_REST = ("import-request", "prove-possession", "sign-intermediates", "close")


def roll_over_script(previous: HeldCeremony, *, reissue: bool = True, crosses: bool = False) -> bytes:
    """The script of the roll-over after `previous`; its new root has the subject of the old one, which it outlives."""
    names = ("alpha.1", "beta.2") if reissue else ("beta.2",)
    between = ("crossing", *_KINDS[:3]) if crosses else ()
    text = script_of((*_KINDS, *between, *_REST), names, proof=True, previous=previous.fingerprint).decode()
    text = text.replace(f'label = "{G1}"', f'label = "{G2}"').replace(f'certificate = "{G1}"', f'certificate = "{G2}"')
    text = text.replace("2046-11-19", "2056-11-19", 1).replace("[profiles.factory]", f"{TABLE}[profiles.factory]", 1)
    if reissue:
        entry = 'name = "alpha.1"\nprofile'
        text = text.replace(entry, f'name = "alpha.1"\nreissue = "{serial_of(previous, "alpha.1")}"\nprofile', 1)
    return text.encode()


def roll_over(
    folder: Path,
    previous: HeldCeremony,
    *,
    script: bytes | None = None,
    carried: tuple[str, ...] = (),
    until: dt.datetime = UNTIL,
    keys: Mapping[str, Any] | None = None,
    signers: Mapping[str, Any] | None = None,
    left_out: str = "",
    crossing: Callable[[HeldCeremony], str] | None = None,
) -> HeldCeremony:
    """Holds it as the steps do, but for what is said to be otherwise: the end of the cross-certificates, whose key each of them holds and
    who signs it, and one that is never made. At its `crossing` the first bundle leaves, and the code for the new root comes in."""
    script = script or roll_over_script(previous, crosses=crossing is not None)
    ceremony = HeldCeremony(folder, script, **going_on(previous))
    old = (previous.root_key, previous.root_der)
    ceremony.prepare()
    ceremony.begin("use-root")
    ceremony.write_file(ROOT_1, previous.artifacts[ROOT_1])
    ceremony.carried = carried
    ceremony.carry_on()
    ceremony.finish()
    ceremony.root_key = new_root_key("ec:secp384r1")
    ceremony.make_root()
    new = (ceremony.root_key, ceremony.root_der)
    ceremony.begin("cross-certify")
    _cross_certify(ceremony, old, new, until, keys or {}, signers or {}, left_out)
    ceremony.finish()
    code = held_ceremony.CODE
    if crossing:
        ceremony.seal("crossing")
        code = crossing(ceremony)
        ceremony.cross()
        ceremony.prepare()
    names = [entry.name for entry in ceremony.tables.intermediates]
    csrs = {name: csr_of(previous, name) if name == "alpha.1" else new_csr(f"CN={name},O=Example") for name in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held_ceremony, "CODE", code)
        ceremony.import_request(csrs, proof=True)
        ceremony.prove()
    ceremony.sign_intermediates()
    ceremony.seal("close")
    return ceremony


def _cross_certify(
    ceremony: HeldCeremony,
    old: tuple[Any, bytes],
    new: tuple[Any, bytes],
    until: dt.datetime,
    keys: Mapping[str, Any],
    signers: Mapping[str, Any],
    left_out: str,
) -> None:
    drafts: dict[str, tuple[Draft, Any]] = {}
    for name, (key, der), (issuer_key, issuer_der) in ((NEW_WITH_OLD, new, old), (OLD_WITH_NEW, old, new)):
        if name != left_out:
            by = signers.get(name, (issuer_key, issuer_der))
            ceremony.root_key = by[0]
            profile = cross_profile(der, by[1], dt.date.fromisoformat(DAY), until)
            drafts[name] = (ceremony.draft(f"{name}/1", profile, spki(keys.get(name, key))), by[0])
    batch = [(name, draft) for name, (draft, _) in drafts.items()]
    made = ceremony.signed("cross/1", "cross", batch, {name: key for name, (_, key) in drafts.items()})
    for name, der in made.items():
        ceremony.write(CROSS[name], der)
    ceremony.root_key, ceremony.root_der = new
