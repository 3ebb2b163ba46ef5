"""A service with a verified root, two intermediates and devices whose keys the test holds."""

from pathlib import Path

from ceremony.simulator.registration import refused_connection
from tests.online.held_service import ROOT_NAME, HeldService
from tests.simulator.calling import Caller
from tests.simulator.chains import Issued, device, intermediate, root, write_chain


class Factories:
    """Devices of alpha.1 and beta.1, under a root of the tests at `example-dps`."""

    def __init__(self, held: HeldService) -> None:
        held.simulator.faults.clock_skew *= 0
        self.held, self.caller = held, Caller(held.simulator)
        self.caller.verified_root(ROOT_NAME, root())
        for name in ("alpha.1", "beta.1"):
            assert self.caller.group(name, intermediate(name)).status == 200

    def registered(self, name: str, factory: str) -> bool:
        """A device sends its chain: whether it is let in. Any other answer than 202 and 401 is a failure of the test."""
        files = self.files(name, factory)
        said = self.caller.register(name, files)
        assert said.status in (202, 401), said
        return said.status == 202

    def files(self, name: str, factory: str) -> tuple[Path, Path]:
        self.leaf = device(name, intermediate(factory))
        return write_chain(self.held.folder, name, self.leaf, [intermediate(factory)])

    def connects(self, name: str, leaf: Issued, factory: str) -> bool:
        """Whether the hub takes a device's connection."""
        state = self.held.state
        return refused_connection(state, state.hubs[0], name, [leaf.der, intermediate(factory).der], state.now()) == ""

