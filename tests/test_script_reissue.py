"""`reissue` of `[[intermediates]]`: what can't hold is told by name, and the plan tells what can."""

import pytest

from ceremony.script import ScriptRefused, certificates_planned, read_script
from ceremony.shipped import path_of

_SCRIPT = path_of("reissue-intermediate").read_text()
_SERIAL = "0" * 40
_ENTRY = f'reissue = "{_SERIAL}"'
_REVOKES = f'[crl]\nnext_update = 2027-12-31T00:00:00Z\n\n[[revoke]]\nserial = "{_SERIAL}"\nreason = "cACompromise"\n\n[activation]'
REISSUES = {
    "half a serial": ((_ENTRY, 'reissue = "00"'), "intermediates[1].reissue"),
    "twice": ((_ENTRY, f'{_ENTRY}\n\n[[intermediates]]\nname = "beta.1"\nprofile = "factory"\n{_ENTRY}'), "stands twice"),
    "nothing before": (('root = "present"', 'root = "absent"'), "a first ceremony has nothing to re-issue"),
    "what it revokes": (("[activation]", _REVOKES), "for more than being superseded"),
}


@pytest.mark.parametrize("what", REISSUES)
def test_a_reissue_that_cannot_hold_is_told(what: str) -> None:
    (before, after), told = REISSUES[what]
    assert before in _SCRIPT
    with pytest.raises(ScriptRefused) as refused:
        read_script(_SCRIPT.replace(before, after, 1).encode())
    assert any(told in f"{problem.where}: {problem.what}" for problem in refused.value.problems), refused.value.problems


def test_the_plan_names_what_is_reissued() -> None:
    ((title, _),) = certificates_planned(read_script(_SCRIPT.encode()))
    assert title.startswith("intermediate alpha.1 (") and title.endswith(f", re-issue of {_SERIAL} with its key")
