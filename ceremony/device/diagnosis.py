"""From a refusal and what was found to one error that says why the device was not let in, and what to do about it."""

from collections.abc import Sequence

from ceremony.device.causes import Cause, Clocks, causes_in_files
from ceremony.device.identity import Identity
from ceremony.device.refusal import Refusal
from ceremony.device.service_view import ServiceView, causes_at_service, issuer_is_at_service
from ceremony.errors import CODES, CeremonyError

LIKELIEST_FIRST = (
    "DEVICE-ID-SCOPE",
    "DEVICE-LEAF-DATES",
    "DEVICE-CHAIN-DATES",
    "DEVICE-NAME-DIFFERS",
    "DEVICE-LEAF-USAGE",
    "DEVICE-GROUP-DISABLED",
    "DEVICE-CHAIN-MISSING",
    "DEVICE-CHAIN-BROKEN",
    "DEVICE-ISSUER-NOT-CA",
    "DEVICE-ROOT-NOT-VERIFIED",
    "DEVICE-ROOT-NOT-UPLOADED",
    "DEVICE-GROUP-MISSING",
)
"""The order in which causes are told; the first gives the error its code."""
_CONNACK_UNAVAILABLE = 3


def reasons(
    refusals: Sequence[Refusal], identity: Identity, registration_id: str, id_scope: str, clocks: Clocks, view: ServiceView | None
) -> list[Cause]:
    """Every cause that was found, the likeliest first. `refusals` are those of all ways in which the service was asked.

    `view` is the service as its operator sees it, if it was looked at.
    """
    found = causes_in_files(identity, registration_id, clocks)
    if view is not None:
        if issuer_is_at_service(view, identity.certificates):
            # A root may issue devices itself; then the leaf alone is a whole chain.
            found = [cause for cause in found if cause.code != "DEVICE-CHAIN-MISSING"]
        # What stands above a chain that is not whole can't be told from it.
        is_whole = not any(cause.code in ("DEVICE-CHAIN-MISSING", "DEVICE-CHAIN-BROKEN") for cause in found)
        at_service = causes_at_service(view, identity.certificates, id_scope)
        found += [cause for cause in at_service if is_whole or cause.code not in ("DEVICE-ROOT-NOT-UPLOADED", "DEVICE-GROUP-MISSING")]
    hinted = [cause for refusal in refusals for cause in _hinted(refusal)]
    if view is not None and view.id_scope == id_scope:
        hinted = [cause for cause in hinted if cause.code != "DEVICE-ID-SCOPE"]
    # Hints come last: of two causes with one code the exact one is kept.
    once: dict[str, Cause] = {}
    for cause in [*found, *hinted]:
        once.setdefault(cause.code, cause)
    return sorted(once.values(), key=lambda cause: LIKELIEST_FIRST.index(cause.code))


def verdict(refusal: Refusal, found: Sequence[Cause], *, asked_service: bool, state: str) -> CeremonyError:
    """The error for a person: the service's words, the likeliest cause, the others. `state` says what became of the cache."""
    if not found:
        more = "The files are in order" + (", and so is the service as far as it shows." if asked_service else ".")
        do_now = "" if asked_service else "Give --online-toml FILE to have the service looked at too: root verified, group enabled?"
        code = "DEVICE-TLS-REFUSED" if refusal.how == "tls" else "DEVICE-REFUSED"
        return CeremonyError(code, f"{refusal.shown} {more}", state=state, do_now=do_now)
    first, *others = found
    what = " ".join([refusal.shown, first.what, *(f"Also: {cause.what}" for cause in others)])
    do_now = " ".join(dict.fromkeys(CODES[cause.code].do_now for cause in found))
    return CeremonyError(first.code, what, state=state, do_now=do_now)


def _hinted(refusal: Refusal) -> list[Cause]:
    """Causes that the refusal itself names."""
    found = []
    if "disabled" in refusal.message.lower():
        what = "The service speaks of something disabled: the device's enrollment group, or an enrollment of its own."
        found.append(Cause("DEVICE-GROUP-DISABLED", what))
    if refusal.how == "connack" and refusal.status == _CONNACK_UNAVAILABLE:
        # azure-iot-sdk-python issue 670.
        what = "CONNACK 3 over MQTT is how an id scope that the service does not know is answered, or a service that is not available."
        found.append(Cause("DEVICE-ID-SCOPE", what))
    return found
