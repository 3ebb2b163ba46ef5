"""The registration that a device keeps: a small file by which it goes to its hub without asking again. No secret is in it."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ceremony.canonical import NotCanonical, canonical_json, parse_json
from ceremony.device.hosts import is_host
from ceremony.device.identity import is_registration_id
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

FORMAT = 1
LARGEST_FILE = 64 << 10
"""A cache is read up to 64 KiB."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID_SCOPE = re.compile(r"[A-Za-z0-9]{1,64}")
_SUBSTATUS = re.compile(r"[A-Za-z]{0,64}")


@dataclass(frozen=True)
class Registration:
    """Where the service sent a device. `leaf_sha256` (hex, of the DER) is the certificate that it was registered with.

    `host` and `id_scope` say which service was asked, `registered_at` when (RFC 3339, UTC, by this machine's clock).
    """

    host: str
    id_scope: str
    registration_id: str
    assigned_hub: str
    device_id: str
    substatus: str
    leaf_sha256: str
    registered_at: str

    def as_json(self) -> dict[str, Any]:
        """The file's content as a value, in the words of the service's API where it has them."""
        return {
            "format": FORMAT,
            "host": self.host,
            "idScope": self.id_scope,
            "registrationId": self.registration_id,
            "assignedHub": self.assigned_hub,
            "deviceId": self.device_id,
            "substatus": self.substatus,
            "leafSha256": self.leaf_sha256,
            "registeredAt": self.registered_at,
        }


@dataclass(frozen=True)
class Damaged:
    """A file that is no cache of ours; `why` may be shown."""

    why: str


@dataclass(frozen=True)
class Wanted:
    """Whom a cache must be of to be used. None is not asked for: it is taken as the cache says."""

    leaf_sha256: str
    registration_id: str
    id_scope: str | None = None
    host: str | None = None


def is_id_scope(text: str) -> bool:
    """Whether it could be an id scope: letters and digits, such as 0ne00000A0A."""
    return _ID_SCOPE.fullmatch(text) is not None


def read_cache(path: Path) -> Registration | Damaged | None:
    """What the file holds; None when there is none. Raises CeremonyError DEVICE-CACHE for one that can't be read at all."""
    try:
        with path.open("rb") as file:
            octets = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as failed:
        what = f"The cache {shown_text(str(path))} could not be read: {failed.strerror}."
        raise CeremonyError("DEVICE-CACHE", what, state="Nothing was sent.") from failed
    return decoded(octets)


def decoded(octets: bytes) -> Registration | Damaged:
    """The registration that these bytes are, or why they are none. Never raises."""
    try:
        value = parse_json(octets[:-1] if octets.endswith(b"\n") else octets)
    except (NotCanonical, ValueError, RecursionError) as broken:
        return Damaged(shown_text(str(broken))[:200])
    if not isinstance(value, dict) or value.get("format") != FORMAT or isinstance(value.get("format"), bool):
        return Damaged(f"it is not of format {FORMAT}")
    found = {key: text for key, text in value.items() if key != "format"}
    if found.keys() != _FITS.keys():
        return Damaged("it lacks a member, or has one that is not known")
    wrong = [key for key, fits in _FITS.items() if not isinstance(found[key], str) or not fits(found[key])]
    if wrong:
        return Damaged(f"{', '.join(wrong)} can't be right")
    return Registration(
        found["host"],
        found["idScope"],
        found["registrationId"],
        found["assignedHub"],
        found["deviceId"],
        found["substatus"],
        found["leafSha256"],
        found["registeredAt"],
    )


def difference(cached: Registration, wanted: Wanted) -> str:
    """Why a cache is not to be used, in words that may be shown; "" when it is."""
    if cached.leaf_sha256 != wanted.leaf_sha256:
        return "the device has another certificate than the one it was registered with"
    if cached.registration_id.lower() != wanted.registration_id.lower():
        return f"it is of the registration id {shown_text(cached.registration_id)}"
    if wanted.id_scope is not None and cached.id_scope != wanted.id_scope:
        return f"it is of the id scope {shown_text(cached.id_scope)}"
    if wanted.host is not None and cached.host.lower() != wanted.host.lower():
        return f"it was given out by {shown_text(cached.host)}"
    return ""


def write_cache(path: Path, registration: Registration) -> None:
    """Puts the file in place whole, in place of one that is there. Raises CeremonyError DEVICE-CACHE."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with beside.open("wb") as file:
                file.write(canonical_json(registration.as_json()) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
    except OSError as failed:
        what = f"The cache {shown_text(str(path))} could not be written: {failed.strerror}."
        state = f"The device is registered, for the hub {shown_text(registration.assigned_hub)}; nothing remembers it."
        raise CeremonyError("DEVICE-CACHE", what, state=state) from failed


def drop_cache(path: Path) -> None:
    """Takes the file away. One that stays does no harm: the hub that refused the device would do so again."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Gives a damaged file another name beside it, for whoever wants to know what happened. Raises CeremonyError DEVICE-CACHE."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as failed:
        what = f"The damaged cache {shown_text(str(path))} could not be renamed: {failed.strerror}."
        raise CeremonyError("DEVICE-CACHE", what, state="Nothing was sent.") from failed
    return aside


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


_FITS = {
    "host": is_host,
    "idScope": is_id_scope,
    "registrationId": is_registration_id,
    "assignedHub": is_host,
    "deviceId": is_registration_id,
    "substatus": lambda text: _SUBSTATUS.fullmatch(text) is not None,
    "leafSha256": lambda text: _SHA256.fullmatch(text) is not None,
    "registeredAt": _is_time,
}
"""What each member must look like: the file was on a device, where anything may have become of it."""
