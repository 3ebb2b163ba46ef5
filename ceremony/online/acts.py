"""Single acts at the service outside a plan: a code asked for, a group disabled, something deleted. Told in receipts, as by `apply`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from ceremony.errors import CeremonyError
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
    def how(self) -> Literal["done", "found"]:
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


class Record:
    """Receipts of acts that wait for no receipt: `with Record(path, service) as record: ... record.tell(act, time)`.

    What goes wrong with the file is kept in `failed`, and no more is written: the next run finds what was done, and tells it then.
    """

    def __init__(self, path: Path, service: str) -> None:
        self._service = service
        self.failed: CeremonyError | None = None
        self._receipts: Receipts | None = None
        self._known: set[tuple[Any, ...]] = set()
        try:
            self._receipts = Receipts(path, None)
            self._known = {_of_device(line.data) for line in self._receipts.lines if line.kind == "device-disabled"}
        except CeremonyError as failed:
            self.failed = failed

    def tell(self, act: Act, time: datetime | None) -> Receipt | None:
        """Writes a receipt; None where that can't be, and of a device that has one for the very state it is in."""
        data = {"service": self._service, "name": act.name, "etag_after": act.etag_after, **act.more}
        if self._receipts is None or (act.kind == "device-disabled" and _of_device(data) in self._known):
            return None
        try:
            return write_receipt(self._receipts, act, service=self._service, time=time)
        except CeremonyError as failed:
            self.failed = failed
            self._close()
            return None

    def _close(self) -> None:
        if self._receipts is not None:
            self._receipts.close()
            self._receipts = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()


def _of_device(data: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells the receipt of a device in one state from all others."""
    return tuple(data.get(key) for key in ("service", "hub", "name", "etag_after"))
