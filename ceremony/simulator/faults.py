"""What goes wrong on demand: latency, refusals, dropped connections, a clock that is off, a token that has run out."""

import math
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Literal

Drop = Literal["", "before", "after"]
FACES = ("arm", "service", "device", "hub")
"""What a fault may be for: the control plane, the service API, the device API, the registries of the hubs."""


@dataclass
class Fault:
    """One trouble for the requests that it fits.

    `status` is answered in place of a result (0: none), with `Retry-After: retry_after` seconds unless that is None.
    `drop` cuts the connection before the request took effect, or after it did (the answer is lost).
    It lets `skip` fitting requests pass, and then strikes `times` times. A fit: `method` the same or "", `part` anywhere in
    the path ("" is anywhere), `face` one of FACES or "".
    """

    status: int = 0
    retry_after: int | None = None
    drop: Drop = ""
    method: str = ""
    part: str = ""
    face: str = ""
    skip: int = 0
    times: int = 1


@dataclass
class Faults:
    """The control of one simulator's faults. Every method may be called from any thread, also while requests run."""

    latency: float = 0.0
    """Seconds that each request waits before it is looked at."""
    clock_skew: timedelta = timedelta()
    """How far the service's clock is ahead of this machine's: `Date`, validity, times in records."""
    most_a_minute: int = 0
    """Operations a minute of the control plane and the service API; beyond them 429, with the seconds to wait. 0 is no limit."""
    _waiting: list[Fault] = field(default_factory=list)
    _expired_tokens: set[str] = field(default_factory=set)
    _operations: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, fault: Fault) -> None:
        """Puts a fault behind those that wait."""
        with self._lock:
            self._waiting.append(fault)

    def throttle(self, times: int = 1, retry_after: int | None = 1, *, face: str = "") -> None:
        """A burst of 429; without Retry-After when that is None."""
        self.add(Fault(status=429, retry_after=retry_after, times=times, face=face))

    def cut(self, nth: int, drop: Drop = "before") -> None:
        """Cuts the connection of the nth request from now, counted from 1."""
        self.add(Fault(drop=drop, skip=nth - 1))

    def expire(self, token: str) -> None:
        """This bearer token has run out: 401 from now on."""
        with self._lock:
            self._expired_tokens.add(token)

    def is_expired(self, token: str) -> bool:
        """Whether `expire` was called for it."""
        with self._lock:
            return token in self._expired_tokens

    def clear(self) -> None:
        """Everything works again."""
        with self._lock:
            self._waiting.clear()
            self._expired_tokens.clear()
            self._operations.clear()
            self.latency, self.clock_skew, self.most_a_minute = 0.0, timedelta(), 0

    def strike(self, face: str, method: str, path: str) -> Fault | None:
        """The first fault that fits this request and is due; counts it. One that only passes is counted too."""
        with self._lock:
            if self.most_a_minute and face in ("arm", "service"):
                wait = self._wait_for_a_place(monotonic())
                if wait:
                    return Fault(status=429, retry_after=wait)
            for fault in self._waiting:
                if fault.times <= 0 or (fault.method and fault.method != method) or fault.part not in path:
                    continue
                if fault.face and fault.face != face:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
            return None

    def _wait_for_a_place(self, now: float) -> int:
        """Seconds until the minute has a place for one more operation; 0 when it has, and the place is taken."""
        while self._operations and self._operations[0] <= now - 60:
            self._operations.popleft()
        if len(self._operations) < self.most_a_minute:
            self._operations.append(now)
            return 0
        return math.ceil(self._operations[0] + 60 - now)
