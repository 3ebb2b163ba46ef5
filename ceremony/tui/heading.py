"""What the app knows before the first question: the frame of the ceremony."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ceremony.said import People


@dataclass(frozen=True)
class StepHeading:
    """A step in the list at the left. `finished` is the UTC time (RFC 3339) when it ended in an earlier session, or ""."""

    number: int
    title: str
    finished: str = ""


@dataclass(frozen=True)
class Heading:
    """Title, whether a rehearsal, the steps, name and role by participant's id, and what is known of token and air gap."""

    title: str
    rehearsal: bool
    steps: Sequence[StepHeading]
    people: People
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """The word that stands on every screen."""
        return "REHEARSAL" if self.rehearsal else "PRODUCTION"
