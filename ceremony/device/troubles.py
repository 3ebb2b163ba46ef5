"""What went wrong between this machine and a host, from the library's errors: refused, or not reached.

The two are kept apart with care. A refusal says something about the device, and a cache that is refused is dropped; of a network
that is down nothing follows.
"""

import re

from ceremony.device.refusal import Refusal, is_refusal, refusal_of
from ceremony.device.sdk import Told
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

_CONNACK = {
    "unacceptable protocol version": 1,
    "identifier rejected": 2,
    "broker unavailable": 3,
    "bad user name or password": 4,
    "not authorised": 5,
}
"""paho's words for the return codes of CONNACK (MQTT 3.1.1, table 3.1)."""
NO_REASON = "no reason given"
"""The message of a handshake that ended without an alert."""
_UNAVAILABLE, _NOT_THIS_DEVICE = 3, (4, 5)
_STATUS = re.compile(r"status code (\d{3})$")
# Alerts by which a server says that it does not take the client's certificate (RFC 5246 section 7.2.2), in OpenSSL's words.
_ALERT = re.compile(
    r"alert (unknown ca|bad certificate|certificate \w+|unsupported certificate|handshake failure|access denied|decrypt error)"
)


def refusal_in(told: Told) -> Refusal | None:
    """The service's refusal, if it gave one; None when the trouble is another."""
    failed = told.fault("ServiceError")
    if failed is not None and told.answers:
        last = told.answers[-1]
        if is_refusal(last.status, last.body):
            return refusal_of("mqtt", last.status, last.body)
    elif failed is not None and (status := _STATUS.search(failed.text)):
        # The library says no more than this, should its log no longer be as we know it.
        return Refusal("mqtt", int(status[1]))
    for fault in told.faults:
        words = next((words for words in _CONNACK if words in fault.text), "")
        if words and fault.text.startswith("Connection Refused"):
            return Refusal("connack", _CONNACK[words], message=words)
    broken = told.fault("SSLError")
    if broken is None:
        return None
    alerted = refusal_by_alert(broken.text)
    if alerted is not None:
        return alerted
    # Some servers end the connection without an alert (Python's asyncio does); so does a network that breaks just then.
    return Refusal("tls", 0, message=NO_REASON) if broken.is_a("SSLEOFError", "SSLZeroReturnError") else None


def refusal_by_alert(text: str) -> Refusal | None:
    """The refusal that OpenSSL's words for an alert in the handshake tell; None when they tell none."""
    alert = _ALERT.search(text)
    return Refusal("tls", 0, message=f"alert '{alert[1]}'") if alert is not None else None


def refuses_device(refusal: Refusal) -> bool:
    """Whether the other side itself says no to this device. A handshake that ended, or a side that can't serve just now, does not."""
    return refusal.how in ("mqtt", "https") or (refusal.how == "connack" and refusal.status in _NOT_THIS_DEVICE)


def trouble(told: Told, host: str, *, seconds: float, state: str) -> CeremonyError:
    """Why nothing came of it, when nobody refused. `state` says what became of the cache."""
    where = f"{shown_text(host)}, port 8883"
    if told.out_of_time:
        return _out_of_time(told, where, seconds, state)
    refusal = refusal_in(told)
    if refusal is not None and refusal.how == "connack" and refusal.status == _UNAVAILABLE:
        return CeremonyError("DEVICE-SERVICE-FAILED", f"{where}, says that it is not available.", state=state)
    if refusal is not None and refusal.how == "tls" and refusal.message != NO_REASON:
        return CeremonyError("DEVICE-TLS-REFUSED", f"{where}: {refusal.shown}", state=state)
    if told.fault("gaierror") is not None:
        return CeremonyError("DEVICE-HOST-UNKNOWN", f"The name {shown_text(host)} was not found.", state=state)
    unverified = told.fault("SSLCertVerificationError")
    if unverified is not None:
        why = _verify_words(unverified.text)
        return CeremonyError("DEVICE-SERVER-UNKNOWN", f"The certificate of {where}, is not trusted here: {why}.", state=state)
    inner = told.fault("SSLError", "OSError")
    if inner is not None:
        words = shown_text(" ".join(inner.text.split())) or inner.kinds[0]
        return CeremonyError("DEVICE-UNREACHABLE", f"{where}, could not be reached: {words}.", state=state)
    if told.fault("ConnectionDroppedError", "NoConnectionError", "OperationCancelled") is not None:
        return CeremonyError("DEVICE-CONNECTION-LOST", f"{where}, ended the connection.", state=state)
    if told.fault("OperationTimeout") is not None or any("timed out" in fault.text for fault in told.faults):
        return CeremonyError("DEVICE-TIME-OUT", f"{where}, did not answer in the time that the library gives it.", state=state)
    said = "; ".join(f"{fault.kinds[0]}: {shown_text(fault.text)}" for fault in told.faults) or "its process ended without a word"
    return CeremonyError("DEVICE-LIBRARY", f"The device library failed with {where}: {said}.", state=state)


def _out_of_time(told: Told, where: str, seconds: float, state: str) -> CeremonyError:
    last = told.answers[-1] if told.answers else None
    waits = f" and asked to wait {last.retry_after} seconds" if last is not None and last.retry_after is not None else ""
    if last is not None and last.status == 429:
        what = f"{where}, answered 429{waits}; the limit of {seconds:g} seconds is over."
        return CeremonyError("DEVICE-THROTTLED", what, state=state)
    if last is not None and last.status >= 500:
        what = f"{where}, answered {last.status}{waits}; the limit of {seconds:g} seconds is over."
        return CeremonyError("DEVICE-SERVICE-FAILED", what, state=state)
    return CeremonyError("DEVICE-TIME-OUT", f"Nothing came of it with {where}, in {seconds:g} seconds.", state=state)


def _verify_words(text: str) -> str:
    """OpenSSL's own words at the end of Python's: `... verify failed: WORDS (_ssl.c:1006)`."""
    words = text.rpartition("verify failed: ")[2]
    return shown_text(re.sub(r" \(_ssl\.c:\d+\)$", "", words))
