"""How a refusal looks: by the command line, and raised."""

from collections.abc import Callable

import pytest

from ceremony.errors import CeremonyError
from ceremony.online.control_plane import ControlPlane
from ceremony.online.plan import Plan
from tests.online.held_service import AT_ONCE, SERVICE, HeldService, Ran


def refused(ran: Ran, code: str, exit_code: int) -> str:
    assert f"Code: {code}" in ran.err
    assert ran.code == exit_code
    return ran.err


def stopped(act: Callable[[], object], code: str) -> CeremonyError:
    with pytest.raises(CeremonyError) as caught:
        act()
    assert caught.value.code == code, caught.value.what
    return caught.value


def azure_settings(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings name Azure, and whoever would call it fails."""

    def no_client(*_arguments: object) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr(ControlPlane, "__init__", no_client)
    held.toml.write_text(f'format = 1\nsubscription = "{held.state.subscription_id}"\nresource_group = "rg"\nservice = "{SERVICE}"\n')


def plan_2(held: HeldService) -> Plan:
    with held.connected() as service:
        return held.plan_2(service)


def apply(held: HeldService, plan: Plan) -> object:
    with held.connected(AT_ONCE) as service:
        return held.apply(service, plan)
