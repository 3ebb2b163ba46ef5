"""A device through the provisioning service to the hub it is assigned to; and, when it is not let in, why."""

import ssl
from datetime import UTC
from typing import Any

from ceremony.device.cache import Registration
from ceremony.device.causes import Clocks
from ceremony.device.diagnosis import reasons, verdict
from ceremony.device.hosts import is_host
from ceremony.device.https_probe import HttpsAddress, ask_by_https
from ceremony.device.identity import Identity, is_registration_id, refuse_rehearsal_elsewhere
from ceremony.device.provisioning import Helpers, Provisioning
from ceremony.device.refusal import Refusal, assigned_state
from ceremony.device.sdk import ask_library
from ceremony.device.troubles import refusal_by_alert, refusal_in, refuses_device, trouble
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

NOT_REGISTERED = "The device is not registered."


class NotLetIn(CeremonyError):
    """The service refused the device, and said so itself. A handshake that ended is none: a broken network can do that as well."""


def register(
    identity: Identity, passphrase: bytearray | None, registration_id: str, service: Provisioning, helpers: Helpers, *, state: str
) -> Registration:
    """Registers the device by Azure's library over MQTT.

    `state` completes an error: what became of the cache. Raises NotLetIn with a code that says why; CeremonyError
    DEVICE-REHEARSAL, DEVICE-PACKAGES, DEVICE-TLS-REFUSED and the codes of a network's troubles.
    """
    refuse_rehearsal_elsewhere(identity, service.host)
    request = {
        "do": "register",
        "host": service.host,
        "id_scope": service.id_scope,
        "registration_id": registration_id,
        "chain_file": str(identity.chain_file),
        "key_file": str(identity.key_file),
        "trust_pem": service.trust_pem,
    }
    told = ask_library(request, passphrase, service.seconds)
    state = f"{NOT_REGISTERED} {state}"
    # The last answer counts, also when the library fails in what it does after it.
    given = assigned_state(told.answers[-1].body) if told.answers else None
    if given is None and (facts := told.facts.get("registered")) is not None:
        given = {"assignedHub": facts["hub"], "deviceId": facts["device_id"], "substatus": facts["substatus"]}
    if given is not None:
        return _registration(given, identity, registration_id, service, helpers, state)
    first = refusal_in(told)
    if first is None:
        raise trouble(told, service.host, seconds=service.seconds, state=state)
    refusal = first
    if first.how != "mqtt" or not first.message:
        answered = _ask_by_https(identity, passphrase, registration_id, service, helpers)
        if isinstance(answered, dict):
            return _registration(answered, identity, registration_id, service, helpers, state)
        refusal = answered or first
    view = helpers.look_at_service()
    found = reasons((first, refusal), identity, registration_id, service.id_scope, Clocks(helpers.now(), refusal.time), view)
    error = verdict(refusal, found, asked_service=view is not None, state=state)
    if not refuses_device(refusal):
        raise error
    raise NotLetIn(error.code, error.what, state=error.state, do_now=error.do_now)


def _ask_by_https(
    identity: Identity, passphrase: bytearray | None, registration_id: str, service: Provisioning, helpers: Helpers
) -> dict[str, Any] | Refusal | None:
    """What the service answers over HTTPS: the registration, a refusal with its words, or None when nothing was learned."""
    where = f"{shown_text(service.host)}, port {service.https_port}"
    helpers.say(f"Asking {where}, over HTTPS for the service's own words; should it say yes now, the device is registered.")
    try:
        address = HttpsAddress(service.host, service.https_port, service.trust_pem, identity.chain_file, identity.key_file, passphrase)
    except (ssl.SSLError, OSError) as failed:
        helpers.say(f"The files could not be read again: {failed.strerror}.")
        return None
    asked = ask_by_https(address, service.id_scope, registration_id, service.seconds)
    if asked.registered is not None:
        helpers.say("The service said yes over HTTPS: the device is registered now, although MQTT was refused.")
        return asked.registered
    if asked.refusal is None:
        helpers.say(f"It gave none: {asked.unanswered}.")
        return refusal_by_alert(asked.unanswered)
    return asked.refusal


def _registration(
    given: dict[str, Any], identity: Identity, registration_id: str, service: Provisioning, helpers: Helpers, state: str
) -> Registration:
    """The registration that the service's answer tells. Raises CeremonyError DEVICE-LIBRARY for one that can't be right."""
    hub, device_id, substatus = (str(given.get(name) or "") for name in ("assignedHub", "deviceId", "substatus"))
    if not (is_host(hub) and is_registration_id(device_id)):
        what = f"The service named the hub '{shown_text(hub)}' and the device id '{shown_text(device_id)}', which can't be right."
        raise CeremonyError("DEVICE-LIBRARY", what, state=state)
    moment = helpers.now().astimezone(UTC)
    return Registration(
        host=service.host,
        id_scope=service.id_scope,
        registration_id=registration_id,
        assigned_hub=hub,
        device_id=device_id,
        substatus=substatus if substatus.isascii() and substatus.isalpha() and len(substatus) <= 64 else "",
        leaf_sha256=identity.leaf_sha256,
        registered_at=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    )
