"""A request as a face sees it, its answer, and the log of both by which a run is checked against the API descriptions."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from ceremony.simulator.errors import Refused
from ceremony.simulator.faults import Faults

_FAULT_NUMBERS = {412: 412002, 429: 429001}


@dataclass(frozen=True)
class Request:
    """One request. `path` is as sent, without the query; header names are in lower case; `chain` is the client's (DER, leaf first)."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    chain: tuple[bytes, ...] = ()

    def segments(self) -> list[str]:
        """The path's parts between slashes, decoded."""
        return [unquote(part) for part in self.path.split("/")[1:]]

    def json(self) -> dict[str, Any]:
        """The body, which must be a JSON object. Raises Refused 400."""
        try:
            value = json.loads(self.body.decode())
        except (ValueError, RecursionError) as broken:
            raise Refused(400, 400004, "The request body is not JSON.") from broken
        if not isinstance(value, dict):
            raise Refused(400, 400004, "The request body is not a JSON object.")
        return value


@dataclass(frozen=True)
class Answer:
    """What goes back; `body` None is no body."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exchange:
    """One line of the log. `status` is 0 when the connection was cut (`dropped` says when). No line holds a token."""

    face: str
    request: Request
    status: int
    answer: Any
    answer_headers: Mapping[str, str]
    dropped: str = ""
    by_fault: bool = False


MOST_KEPT = 1000
"""Requests that a log keeps, unless it keeps all."""


@dataclass
class Log:
    """Requests and their answers, oldest first, of all faces: the newest MOST_KEPT, or all of them with `keeps_all`."""

    keeps_all: bool = False
    exchanges: list[Exchange] = field(default_factory=list)
    count: int = 0
    """How many there were."""
    after_each: Callable[[], None] | None = None
    """Called after each request, never twice at the same time."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, exchange: Exchange) -> None:
        """One more line. May be called from any thread that does not hold the state's lock."""
        with self._lock:
            self.exchanges.append(exchange)
            self.count += 1
            if not self.keeps_all:
                del self.exchanges[:-MOST_KEPT]
            if self.after_each is not None:
                self.after_each()


class Face(Protocol):
    """One API of the service."""

    name: str

    def answer(self, request: Request) -> Answer:
        """What this API does and says. Raises Refused."""

    def refusal(self, refused: Refused, request: Request) -> Answer:
        """A refusal in this API's own form."""


def request_of(method: str, target: str, headers: Mapping[str, str], body: bytes, chain: tuple[bytes, ...] = ()) -> Request:
    """The request that an HTTP request line, headers and body make.

    Raises Refused for what is no address, and for a query that names a thing twice.
    """
    try:
        parts = urlsplit(target)
    except ValueError as broken:
        raise Refused(400, 400000, "The request's address can't be read.") from broken
    query = parse_qs(parts.query, keep_blank_values=True)
    twice = [name for name, values in query.items() if len(values) > 1]
    if twice:
        raise Refused(400, 400000, "A query parameter stands twice.")
    lowered = {name.lower(): value for name, value in headers.items()}
    return Request(method, parts.path, {name: values[0] for name, values in query.items()}, lowered, body, chain)


def answer_to(face: Face, request: Request, faults: Faults) -> tuple[Answer, Exchange]:
    """What the face says, or the fault that strikes; and the line for the log. A line that says `dropped` has no answer to be sent."""
    fault = faults.strike(face.name, request.method, request.path)
    try:
        if fault is not None and fault.status:
            number = _FAULT_NUMBERS.get(fault.status, fault.status * 1000)
            raise Refused(fault.status, number, "Asked for, to see what a client does.")
        answer = Answer(0) if fault is not None and fault.drop == "before" else face.answer(request)
    except Refused as refused:
        answer = face.refusal(refused, request)
    kept = without_token(request)
    if fault is None:
        return answer, Exchange(face.name, kept, answer.status, answer.body, answer.headers)
    if fault.drop:
        return answer, Exchange(face.name, kept, 0, None, {}, fault.drop, by_fault=True)
    if fault.retry_after is not None:
        answer = Answer(answer.status, answer.body, {**answer.headers, "Retry-After": str(fault.retry_after)})
    return answer, Exchange(face.name, kept, answer.status, answer.body, answer.headers, by_fault=True)


def without_token(request: Request) -> Request:
    """The same request, as the log keeps it: of the authorization only its scheme."""
    if "authorization" not in request.headers:
        return request
    scheme = request.headers["authorization"].partition(" ")[0]
    kept = {**request.headers, "authorization": f"{scheme if scheme in ('Bearer', 'SharedAccessSignature') else ''} ..."}
    return Request(request.method, request.path, request.query, kept, request.body, request.chain)
