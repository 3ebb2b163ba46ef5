"""`[crl]` and `[[revoke]]` of a ceremony script: what can't hold is told by name, and the plan tells what can."""

import pytest

from ceremony.script import ScriptRefused, certificates_planned, read_script
from ceremony.shipped import path_of

_REVOKES = path_of("revoke-intermediate").read_text()
_ENTRY = 'name = "alpha.1"'
_REASON = 'reason = "cACompromise"'
_UNLOCK = '[[steps]]\nkind = "unlock"\ntitle = "Unlock for the CRL"'
_CROSSING = f'[[steps]]\nkind = "crossing"\ntitle = "Out"\nactor = "admin"\nconfirm = ["witness-1"]\n\n{_UNLOCK}'
REVOCATIONS = {
    "by both": ((_ENTRY, f'{_ENTRY}\nserial = "{"7" * 40}"'), "revoke[1]: names a certificate by `serial` or by `name`, exactly one"),
    "by nothing": ((_ENTRY, ""), "revoke[1]: names a certificate by `serial` or by `name`, exactly one"),
    "twice": (("[activation]", f'[[revoke]]\n{_ENTRY}\nreason = "superseded"\n\n[activation]'), "revoke[2]: 'alpha.1' stands twice"),
    "half a serial": ((_ENTRY, f'serial = "{"7" * 38}"'), "revoke[1].serial"),
    "a reason that says nothing": ((_REASON, 'reason = "unspecified"'), "revoke[1].reason"),
    "a reason that can be taken back": ((_REASON, 'reason = "certificateHold"'), "revoke[1].reason"),
    "a day after the window": ((_ENTRY, f"{_ENTRY}\ndate = 2027-01-01"), "revoke[1].date: 2027-01-01 is later than the last day"),
    "no end": (("[crl]\nnext_update = 2027-12-31T00:00:00Z\n", ""), "crl: is missing"),
    "an end before the window's": (("2027-12-31T00:00:00Z", "2026-12-18T00:00:00Z"), "crl.next_update: The CRL would end at"),
    "an end after the root's": (("2027-12-31T00:00:00Z", "2046-11-20T00:00:00Z"), "later than its root"),
    "no step": (('kind = "issue-crl"', 'kind = "lock"'), "no step issues the CRL that [crl] and [[revoke]] speak of"),
    "a crossing before": ((_UNLOCK, _CROSSING), "a crossing came before it"),
    "nothing to revoke yet": (('root = "present"', 'root = "absent"'), "a first ceremony has nothing to revoke"),
}


@pytest.mark.parametrize("what", REVOCATIONS)
def test_a_revocation_that_cannot_hold_is_told(what: str) -> None:
    (before, after), told = REVOCATIONS[what]
    assert before in _REVOKES
    with pytest.raises(ScriptRefused) as refused:
        read_script(_REVOKES.replace(before, after, 1).encode())
    assert any(told in f"{problem.where}: {problem.what}" for problem in refused.value.problems), refused.value.problems


def test_the_plan_tells_of_the_crl() -> None:
    planned = dict(certificates_planned(read_script(_REVOKES.encode())))
    lines = planned["CRL of example-root-g1"]
    assert "next update: 2027-12-31T00:00:00Z (406 days)" in lines
    assert any(line.startswith("revoked: intermediate alpha.1: cACompromise, since the day of the ceremony (The factory") for line in lines)
