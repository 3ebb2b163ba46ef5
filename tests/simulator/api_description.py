"""Requests and answers compared with the published API descriptions (Swagger 2), as far as those we have use it.

Stricter than Swagger in one thing: a member that a schema does not name is a problem, unless the schema names none or allows others.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

from ceremony.simulator.exchange import Exchange

FILES = {
    "arm": ("iotdps-certificates-2026-11-01", "iotdps-resource-2026-11-01", "deviceregistry-2026-03-01-preview"),
    "service": ("service-2021-10-01",),
    "device": ("device-2021-10-01",),
    "hub": ("iothub-2021-04-12",),
}
MANAGER_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
"""What Azure Resource Manager answers in front of a service (its common types, ErrorResponse); not in the services' own descriptions."""
_KINDS: dict[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


def problems_with(exchanges: Sequence[Exchange], *, refused_too: bool = True) -> list[str]:
    """What differs from the descriptions; without `refused_too`, a request that the service itself refused may be anything."""
    return [
        f"{exchange.face} {exchange.request.method} {exchange.request.path}: {problem}"
        for exchange in exchanges
        for problem in _problems_with(exchange, refused_too)
    ]


def _problems_with(exchange: Exchange, refused_too: bool) -> Iterator[str]:
    found = operation_of(exchange.face, exchange.request.method, exchange.request.path)
    if found is None:
        if refused_too or exchange.status < 400:
            yield "no such path or method"
        return
    api, operation, in_path = found
    if refused_too or exchange.status < 400 or exchange.by_fault:
        yield from _request_problems(api, operation, in_path, exchange)
    if not exchange.dropped:
        yield from _answer_problems(api, operation, exchange)


@cache
def _api(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / "api" / f"{name}.excerpt.json").read_bytes())
    return found


def operation_of(face: str, method: str, path: str) -> tuple[dict[str, Any], dict[str, Any], Mapping[str, str]] | None:
    """The description, its operation, and what the path says; a path of words goes before one with a variable."""
    candidates = []
    for name in FILES[face]:
        for pattern, operations in _api(name)["paths"].items():
            expression = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
            matched = re.fullmatch(expression, path)
            if matched and method.lower() in operations:
                candidates.append((pattern.count("{"), name, operations[method.lower()], matched.groupdict()))
    if not candidates:
        return None
    _, name, operation, in_path = min(candidates, key=lambda candidate: candidate[0])
    return _api(name), operation, in_path


def _request_problems(api: dict[str, Any], operation: dict[str, Any], in_path: Mapping[str, str], exchange: Exchange) -> Iterator[str]:
    request = exchange.request
    parameters = operation["parameters"]
    known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    yield from (f"query {name} is not described" for name in request.query if name not in known)
    if request.body and not any(parameter["in"] == "body" for parameter in parameters):
        yield "a body is sent, and none is described"
    for parameter in parameters:
        name, place = parameter["name"], parameter["in"]
        if place == "body":
            try:
                body = json.loads(request.body)
            except ValueError:
                yield "the body is not JSON"
            else:
                yield from schema_problems(api, parameter["schema"], body, "body")
            continue
        value = {"query": request.query, "path": in_path, "header": request.headers}[place].get(name.lower() if place == "header" else name)
        if value is None:
            if parameter["required"]:
                yield f"{place} {name} is missing"
        elif parameter["type"] == "integer" and not value.isdigit():
            yield f"{place} {name} is no integer"
        elif len(value) < parameter.get("minLength", 0):
            yield f"{place} {name} is too short"


def _answer_problems(api: dict[str, Any], operation: dict[str, Any], exchange: Exchange) -> Iterator[str]:
    responses = operation["responses"]
    response = responses.get(str(exchange.status))
    if response is None:
        if exchange.status < 400:
            yield f"the status {exchange.status} is not described"
        response = responses["default"]
    headers = {name.lower(): value for name, value in exchange.answer_headers.items()}
    for name, schema in response.get("headers", {}).items():
        value = headers.get(name.lower())
        if schema["type"] == "integer" and value is not None and not value.isdigit():
            yield f"the header {name} is no integer"
    if "schema" not in response:
        if exchange.answer is not None:
            yield "an answer has a body, and none is described"
    elif exchange.face == "arm" and exchange.status >= 400 and isinstance(exchange.answer, dict) and "error" in exchange.answer:
        yield from schema_problems(api, MANAGER_ERROR, exchange.answer, "answer")
    else:
        yield from schema_problems(api, response["schema"], exchange.answer, "answer")


def schema_problems(api: dict[str, Any], schema: dict[str, Any], value: Any, place: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = api["definitions"][schema["$ref"].removeprefix("#/definitions/")]
    kind = schema["type"]
    if value is None and schema.get("x-nullable"):
        return
    if not isinstance(value, _KINDS[kind]) or (kind == "integer" and isinstance(value, bool)):
        yield f"{place} is no {kind}"
    elif isinstance(value, dict):
        yield from _object_problems(api, schema, value, place)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from schema_problems(api, schema["items"], item, f"{place}[{number}]")
    elif isinstance(value, str):
        if value not in schema.get("enum", [value]):
            yield f"{place} is not one of {', '.join(schema['enum'])}"
        if len(value) < schema.get("minLength", 0):
            yield f"{place} is too short"
        if not _has_format(value, schema.get("format", "")):
            yield f"{place} is no {schema['format']}"


def _object_problems(api: dict[str, Any], schema: dict[str, Any], value: dict[str, Any], place: str) -> Iterator[str]:
    members, others = schema.get("properties", {}), schema.get("additionalProperties", "properties" not in schema)
    yield from (f"{place}.{name} is missing" for name in schema.get("required", []) if name not in value)
    for name, member in value.items():
        if name in members:
            yield from schema_problems(api, members[name], member, f"{place}.{name}")
        elif isinstance(others, dict):
            yield from schema_problems(api, others, member, f"{place}.{name}")
        elif not others:
            yield f"{place}.{name} is not described"


def _has_format(text: str, form: str) -> bool:
    try:
        match form:
            case "date-time":
                return datetime.fromisoformat(text).tzinfo is not None
            case "date-time-rfc1123":
                return bool(re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", text)) and parsedate_to_datetime(text) is not None
            case "byte" if text.startswith("-----BEGIN CERTIFICATE-----"):
                return True  # the published description of the member takes "just .pem file content" too
            case "byte":
                return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False
    return True
