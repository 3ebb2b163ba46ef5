"""What finished steps have established, as the record tells it, read as data."""

import msgspec

from ceremony.crossing.held_pins import BothPins
from ceremony.crossing.physical import LostToken, PhysicalFact, Thing
from ceremony.crossing.request import ProofRequest, ReceivedCsr


class Present(msgspec.Struct, frozen=True):
    """Somebody who was called and is here, in this role."""

    name: str
    role: str


class Products(msgspec.Struct, frozen=True):
    """What finished steps have established, as far as it is asked for here.

    `csrs` (by name) and `codes` (by service) are those that people vouched for; `people` the last roll-call by participant's id;
    `custody` what was put away last, by name; `activation` is as the last step left it that made a PIN anew, None before; `root_token` is
    the serial of the token with the root's key, `lost_tokens` those that were reported as lost.
    """

    ceremony_day: str | None = None
    csrs: dict[str, ReceivedCsr] = {}
    codes: dict[str, ProofRequest] = {}
    people: dict[str, Present] = {}
    physical: tuple[PhysicalFact, ...] = ()
    custody: dict[str, Thing] = {}
    activation: BothPins | None = None
    root_token: str = ""
    lost_tokens: tuple[LostToken, ...] = ()
