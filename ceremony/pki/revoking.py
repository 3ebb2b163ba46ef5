"""From what a script revokes to the entries of the next CRL: which serial is meant, and that it may be."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.pki.profiles import CertificateProfile, Instant
from ceremony.pki.revocation import GIVEN_UP, Reason, Revoked, crl_profile, start_of

_STATE = "Nothing was signed."


class CrlTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The script's table `[crl]`: until when the CRL holds."""

    next_update: Instant


class RevokeTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An entry of `[[revoke]]`: a certificate by its serial (40 hex digits), or an intermediate by its name; exactly one of the two.

    `date` is since when it is not to be trusted; the ceremony's day unless said. `note` is for people: it is shown with the order.
    """

    reason: Reason
    serial: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}$(?!\n)")] | None = None
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$(?!\n)")] | None = None
    date: dt.date | None = None
    note: Annotated[str, msgspec.Meta(max_length=1000)] = ""


@dataclass(frozen=True)
class Certified:
    """A certificate that the root has signed, or may have: `name` of an intermediate, else None; `revoked` says how, if it is.

    `possibly` says that its signature was given up: nobody has it, and it may exist. `not_after` is its end (UTC), `root` SHA-256 (hex)
    of the certificate of the root that its ceremony left with. What follows `revoked` is empty where not told, as for a
    certificate of this very ceremony.
    """

    serial: str
    purpose: str
    subject: str
    name: str | None
    possibly: bool
    revoked: str | None = None
    not_after: str = ""
    not_before: str = ""
    root: str | None = None
    public_key_sha256: str = ""


def problems_with_revoke(
    tables: Sequence[RevokeTable], crl: CrlTable | None, root: str, last_day: dt.date
) -> Iterator[tuple[str, str]]:
    """What is wrong with `[[revoke]]` in a script: where (key path) and what. `root` is what `[world]` says of it."""
    if tables and crl is None:
        yield "crl", "is missing: it says until when the CRL of [[revoke]] holds"
    if tables and root != "present":
        yield "revoke", 'a first ceremony has nothing to revoke: [world] root = "present"'
    seen: set[str] = set()
    for number, table in enumerate(tables, 1):
        where, what = f"revoke[{number}]", table.serial or table.name or ""
        if (table.serial is None) == (table.name is None):
            yield where, "names a certificate by `serial` or by `name`, exactly one of the two"
        elif what in seen:
            yield where, f"{what!r} stands twice"
        if table.date and table.date > last_day:
            yield f"{where}.date", f"{table.date} is later than the last day of the window, {last_day}"
        seen.add(what)


def problem_with_crl(table: CrlTable, root: CertificateProfile, day: dt.date) -> str | None:
    """Why a CRL made on this day can't hold until `[crl] next_update`; None when it can."""
    try:
        crl_profile(root, day, table.next_update, 1, ())
    except CeremonyError as refused:
        return shown_text(refused.what)
    except OverflowError:
        return "is beyond the years that there are in UTC"
    return None


def crl_planned(table: CrlTable, tables: Sequence[RevokeTable], root: CertificateProfile, day: dt.date) -> tuple[str, ...]:
    """The CRL as far as a script says it, as lines for a plan."""
    fields = crl_profile(root, day, table.next_update, 1, ()).fields()
    return (
        *(f"{field}: {fields[field]}" for field in ("this update", "next update")),
        "entries: all of the last CRL, and every signature that was given up",
        *(f"revoked: {_in_words(entry)}" for entry in tables),
    )


def _in_words(table: RevokeTable) -> str:
    what = f"serial {table.serial}" if table.serial else f"intermediate {table.name}"
    return f"{what}: {table.reason}, since {table.date or 'the day of the ceremony'}" + f" ({shown_text(table.note)})" * bool(table.note)


def stand_in_name(number: int) -> str:
    """In a rehearsal, the name of the made-up intermediate that stands in for the certificate of `[[revoke]]` number so (from 1).

    The serial in the script is one of the real root's: no made-up past can hold it.
    """
    return f"revoked-{number}"


def revocations(
    tables: Sequence[RevokeTable], certified: Sequence[Certified], day: dt.date, *, rehearsal: bool, lost: bool = False
) -> Iterator[tuple[Revoked, Certified]]:
    """What the next CRL revokes anew, and the certificate that each is: as the script says, then each signature that was given up.

    Raises CeremonyError REVOKE-UNKNOWN for what was never issued, is the root itself, or is not the only one of its name;
    REVOKE-ALREADY for what is revoked. After a ledger was `lost`, a serial that is not in it may be one that was issued all the same.
    """
    named: set[str] = set()
    for number, table in enumerate(tables, 1):
        name = stand_in_name(number) if rehearsal and table.serial else table.name
        found = _by_name(name, certified) if name else _by_serial(table.serial or "", certified, lost)
        named.add(found.serial)
        yield Revoked(int(found.serial, 16), start_of(table.date or day), table.reason), found
    for found in certified:
        # A given-up root has no other certificate beside it: that ceremony could not go on.
        if found.possibly and found.purpose != "root" and found.revoked is None and found.serial not in named:
            yield Revoked(int(found.serial, 16), start_of(day), GIVEN_UP), found


def _by_name(name: str, certified: Iterable[Certified]) -> Certified:
    named = [found for found in certified if found.name == name]
    left = [found for found in named if found.revoked is None]
    if len(left) == 1:
        return left[0]
    if left:
        serials = ", ".join(found.serial for found in left)
        what = f"{name} is the name of {len(left)} certificates: name the serial, of {serials}."
        raise CeremonyError("REVOKE-UNKNOWN", what, state=_STATE)
    if named:
        raise _already(named[-1])
    raise CeremonyError("REVOKE-UNKNOWN", f"The ledger holds no intermediate of the name {shown_text(name)}.", state=_STATE)


def _by_serial(serial: str, certified: Iterable[Certified], lost: bool) -> Certified:
    found = next((found for found in certified if found.serial == serial), None)
    if found is None and lost:
        return Certified(serial, "not known", "not in the ledger, which was lost once", None, possibly=False)
    if found is None:
        raise CeremonyError("REVOKE-UNKNOWN", f"The ledger holds no certificate with the serial {serial}.", state=_STATE)
    if found.purpose == "root":
        what = f"{serial} is the serial of the root itself, whose own CRL can't revoke it: roll over to a new root."
        raise CeremonyError("REVOKE-UNKNOWN", what, state=_STATE)
    if found.revoked is not None:
        raise _already(found)
    return found


def _already(found: Certified) -> CeremonyError:
    what = f"The certificate with the serial {found.serial} ({shown_text(found.subject)}) is revoked already: {found.revoked}."
    return CeremonyError("REVOKE-ALREADY", what, state=_STATE)
