"""The process in which Azure's device library runs: one request, told line by line, and then the end of the process.

The library has threads and timers that outlive a call (a retry that the service asked for keeps a process alive for as long), prints
warnings and tracebacks of its own, and hides what the service said. Here it can be listened to, and ended.

Standard input: a line of JSON, then the octets of the key's passphrase, as many as `passphrase_octets` says; it stays open, and its
end is the end of this process. Standard output: a line of JSON for each event.
"""

import ast
import json
import logging
import os
import re
import sys
import threading
from typing import IO, Any, NoReturn

from ceremony.machine.hardening import harden

HEARD_BY = "azure.iot.device.provisioning.pipeline.pipeline_stages_provisioning_mqtt"
"""The library's module that logs each answer of the provisioning service as it came, at the level DEBUG."""
_HEARD = re.compile(r"Received payload:(b.*) on topic:\$dps/registrations/res/(\d{3})/\?(.*)", re.DOTALL | re.ASCII)
_RETRY_AFTER = re.compile(r"retry-after=(\d{1,9})(?!\d)", re.ASCII)


class Channel:
    """The way to whoever started this process. Every event is on it before the next begins."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def tell(self, event: str, **facts: Any) -> None:
        """One line."""
        self._stream.write(json.dumps({"event": event, **facts}).encode() + b"\n")
        self._stream.flush()

    def end(self) -> NoReturn:
        """Ends the process with all its threads and timers."""
        os._exit(0)


class Listener(logging.Handler):
    """Takes the service's answers out of the library's own log: it gives them to nobody otherwise."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(logging.DEBUG)
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Tells of an answer; a line that is none, or is not as expected, tells nothing."""
        found = _HEARD.fullmatch(record.getMessage())
        if found is None:
            return
        try:
            body = ast.literal_eval(found[1])
        except (ValueError, SyntaxError):
            return
        retry_after = _RETRY_AFTER.search(found[3])
        self._channel.tell(
            "heard", status=int(found[2]), retry_after=int(retry_after[1]) if retry_after else None, body=body.decode(errors="replace")
        )


def main() -> None:
    """Does what standard input asks for; never returns an error but by an event."""
    harden(os.environ)
    channel = Channel(os.fdopen(os.dup(1), "wb"))
    # What the library prints by itself goes nowhere.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    request = json.loads(sys.stdin.buffer.readline())
    passphrase = bytearray(sys.stdin.buffer.read(request["passphrase_octets"]))
    threading.Thread(target=_end_with_the_other_side, args=(channel,), daemon=True).start()
    try:
        _LETS[request["do"]](channel, request, passphrase or None)
    except ModuleNotFoundError as missing:
        channel.tell("missing", package=missing.name or "")
    except Exception as failed:  # noqa: BLE001 - the library raises what it likes; all of it is told, and judged by the other side
        channel.tell("failed", faults=_faults(failed))
    channel.end()


def _end_with_the_other_side(channel: Channel) -> None:
    sys.stdin.buffer.read()
    channel.end()


def _register(channel: Channel, request: dict[str, Any], passphrase: bytearray | None) -> None:
    from azure.iot.device import X509, ProvisioningDeviceClient

    listened_to = logging.getLogger(HEARD_BY)
    listened_to.setLevel(logging.DEBUG)
    listened_to.propagate = False
    listened_to.addHandler(Listener(channel))
    client = ProvisioningDeviceClient.create_from_x509_certificate(
        provisioning_host=request["host"],
        registration_id=request["registration_id"],
        id_scope=request["id_scope"],
        x509=X509(request["chain_file"], request["key_file"], passphrase),  # type: ignore[no-untyped-call]  # the library's
        **_trust(request),
    )
    state = client.register().registration_state
    if state is None:
        raise ValueError("the library gave no registration")
    channel.tell("registered", hub=state.assigned_hub, device_id=state.device_id, substatus=state.sub_status or "")


def _visit_hub(channel: Channel, request: dict[str, Any], passphrase: bytearray | None) -> None:
    from azure.iot.device import X509, IoTHubDeviceClient, Message

    client = IoTHubDeviceClient.create_from_x509_certificate(
        hostname=request["host"],
        device_id=request["device_id"],
        x509=X509(request["chain_file"], request["key_file"], passphrase),  # type: ignore[no-untyped-call]  # the library's
        connection_retry=False,
        **_trust(request),
    )

    def changed() -> None:
        # A request that waits for an answer of the hub would wait for ever: the library has no time-out for it.
        if not client.connected:
            channel.tell("failed", faults=[{"kinds": ["ConnectionDroppedError"], "text": "", "number": None}])
            channel.end()

    client.connect()
    channel.tell("connected")
    # The library's annotation wants an argument, and gives none.
    client.on_connection_state_change = changed  # type: ignore[assignment]
    message = Message(request["message"], content_encoding="utf-8", content_type="application/json")  # type: ignore[no-untyped-call]
    client.send_message(message)
    channel.tell("sent")
    if request["reported"] is not None:
        client.patch_twin_reported_properties(request["reported"])
        channel.tell("reported")
    channel.tell("twin", twin=client.get_twin())
    client.on_connection_state_change = None  # type: ignore[assignment]
    client.shutdown()


_LETS = {"register": _register, "visit-hub": _visit_hub}


def _trust(request: dict[str, Any]) -> dict[str, str]:
    """The roots that a server's certificate must lead to; without them the library takes the system's."""
    return {} if request["trust_pem"] is None else {"server_verification_cert": request["trust_pem"]}


def _faults(failed: BaseException) -> list[dict[str, Any]]:
    """The error and what caused it, outermost first: its class and those above it, its words, and its number where it has one."""
    found: list[dict[str, Any]] = []
    cause: BaseException | None = failed
    while cause is not None and len(found) < 10:
        number = cause.errno if isinstance(cause, OSError) else None
        found.append({"kinds": [kind.__name__ for kind in type(cause).__mro__], "text": str(cause), "number": number})
        cause = cause.__cause__
    return found
