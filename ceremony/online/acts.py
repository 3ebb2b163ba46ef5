"""Single acts at the service outside a plan: a code asked for, a group disabled, something deleted. Told in receipts, as by `apply`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ceremony.online.answered import Answered
from ceremony.online.receipts import Kind, Receipt, Receipts
from ceremony.online.world import time_text


@dataclass(frozen=True)
class Act:
    """What was done to what. `answered` is None when the service held it already (`found`); `more` goes into the receipt as it is."""

    kind: Kind
    name: str
    etag_before: str | None
    etag_after: str | None
    answered: Answered | None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def how(self) -> str:
        """`done` by this run, or `found`: by another, or by a try whose answer was lost."""
        return "found" if self.answered is None else "done"


def write_receipt(receipts: Receipts, act: Act, *, service: str, time: datetime | None, bundle: str | None = None) -> Receipt:
    """Tells an act. `time` is the service's clock where it told it, `bundle` a fingerprint. Raises CeremonyError RECEIPTS-UNWRITABLE."""
    data = {
        "service": service,
        "name": act.name,
        "how": act.how,
        "request_id": act.answered.request_id if act.answered else None,
        "status": act.answered.status if act.answered else None,
        "etag_before": act.etag_before,
        "etag_after": act.etag_after,
        "bundle": bundle,
        "plan": None,
    }
    return receipts.append(act.kind, time_text(time or datetime.now(UTC)), data | dict(act.more))
