"""The data plane: enrollment groups and registrations, api-version 2021-10-01, on azure-core's pipeline.

No package that is kept does this (docs/dependencies.md).
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from azure.core.credentials import TokenCredential

from ceremony.online.answered import LONGEST_ID, Patience
from ceremony.online.azure_errors import DATA_ROLE, AzureFailure, odd_answer
from ceremony.online.clouds import CLOUDS, DATA_SCOPE, refuse_host_outside
from ceremony.online.config import OnlineConfig
from ceremony.online.rest import RestClient, decoded

API_VERSION = "2021-10-01"
MOST_GROUPS = 100
"""The service's limit of X.509 enrollment groups."""
_PAGE = 100
_MOST_PAGES = 10_000


class DataPlane:
    """Enrollment groups and registrations of one service. Every method raises AzureFailure; `watch.last` tells of the last call."""

    def __init__(
        self, config: OnlineConfig, service_host: str, credential: TokenCredential, patience: Patience = Patience()  # noqa: B008 - frozen
    ) -> None:
        """`service_host` is HOST or HOST:PORT, from the control plane. Raises AzureFailure for one outside the cloud's domain."""
        if not config.is_simulator:
            refuse_host_outside(CLOUDS[config.cloud].provisioning_domain, service_host)
        self._rest = RestClient(
            config, service_host, credential, patience, scope=DATA_SCOPE, api_version=API_VERSION, role=DATA_ROLE
        )
        self.watch = self._rest.watch

    def close(self) -> None:
        """Ends the connections."""
        self._rest.close()

    def groups(self) -> list[dict[str, Any]]:
        """All enrollment groups as the service writes them, by id."""
        doing, query = "reading the enrollment groups", {"query": "SELECT * FROM enrollmentGroups"}
        found = [_with_text(record, "enrollmentGroupId", doing) for record in self._pages(doing, "/enrollmentGroups/query", query)]
        return sorted(found, key=lambda record: str(record["enrollmentGroupId"]))

    def group(self, group_id: str) -> dict[str, Any] | None:
        """The enrollment group of this id as the service writes it, its id and its etag told; None when there is none."""
        doing = f"reading the group {group_id}"
        try:
            answer = self._rest.json(doing, "GET", _path("enrollmentGroups", group_id))
        except AzureFailure as failed:
            if failed.status == 404:
                return None
            raise
        found = _with_text(_with_text(answer, "enrollmentGroupId", doing), "etag", doing)
        if str(found["enrollmentGroupId"]).lower() != group_id.lower():
            raise odd_answer(doing)
        return found

    def put_group(self, record: dict[str, Any], etag: str | None) -> None:
        """Makes a group (`etag` None), or puts the whole record in the place of the one of `etag` (verbatim, quotes and all)."""
        group_id = record["enrollmentGroupId"]
        verb = "making" if etag is None else "changing"
        doing, path = f"{verb} the group {group_id}", _path("enrollmentGroups", group_id)
        self._rest.send(doing, "PUT", path, etag=etag, body=record)

    def delete_group(self, group_id: str, etag: str) -> None:
        """Takes a group away. Its devices may then come in through a group above it: disable first."""
        self._rest.send(f"deleting the group {group_id}", "DELETE", _path("enrollmentGroups", group_id), etag=etag)

    def registrations(self, group_id: str) -> list[dict[str, Any]]:
        """The registrations that a group let in, as the service writes them."""
        doing = f"reading the registrations of {group_id}"
        found = self._pages(doing, f"{_path('registrations', group_id)}/query", None)
        return [_with_text(record, "registrationId", doing) for record in found]

    def _pages(self, doing: str, path: str, body: dict[str, Any] | None) -> Iterator[Any]:
        continuation: str | None = None
        for _ in range(_MOST_PAGES):
            headers = {"x-ms-max-item-count": str(_PAGE)}
            if continuation:
                headers["x-ms-continuation"] = continuation
            response = self._rest.send(doing, "POST", path, body=body, headers=headers)
            page = decoded(response, doing)
            if not isinstance(page, list):
                raise odd_answer(doing)
            yield from page
            continuation = response.headers.get("x-ms-continuation")
            if not continuation:
                return
        raise AzureFailure("AZURE-FAILED", f"While {doing} the service gave page after page without an end.")


def _path(collection: str, name: str) -> str:
    """Raises AzureFailure AZURE-NOT-FOUND for dots alone, which would be another path."""
    if not name.strip("."):
        raise AzureFailure("AZURE-NOT-FOUND", f"'{name}' can't be the name of anything at the service: nothing was sent for it.")
    return f"/{collection}/{quote(name, safe='')}"


def _with_text(record: Any, key: str, doing: str) -> dict[str, Any]:
    """The record, if it is a JSON object that has a text of some length under this key."""
    if isinstance(record, dict) and isinstance(record.get(key), str) and 0 < len(record[key]) <= LONGEST_ID:
        return record
    raise odd_answer(doing)
