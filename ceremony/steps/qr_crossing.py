"""What was sealed leaves as QR codes on the screen, too, where the script allows it (design, section 6). Nothing comes in by camera."""

import base64
from collections.abc import Generator
from typing import Any

from ceremony.engine.step import Ask, Known, Request
from ceremony.words import sha256_hex


def left_as_qr(known: Known, fingerprint: str, actor: str) -> Generator[Request, Any, None]:
    """The fingerprint of the seal and each proof certificate, as far as `[crossing] qr` names them; each a crossing on the record."""
    if "fingerprint" in known.script.crossing.qr:
        yield from _left("fingerprint", "the sealed fingerprint, 64 hex digits", fingerprint.upper(), actor)
    if "proof" in known.script.crossing.qr:
        for service, der in sorted(known.products.get("proof_certificates", {}).items()):
            what = f"the proof certificate for {service}, DER in base32 (RFC 4648) without padding"
            yield from _left(f"proof/{service}", what, base64.b32encode(bytes.fromhex(der)).decode().rstrip("="), actor)


def _left(key: str, what: str, text: str, actor: str) -> Generator[Request, Any, None]:
    shown = (
        f"May leave on the screen: {what}.",
        "It can be read by every camera that sees the screen. It is a crossing, and recorded as one.",
        "The digest is that of the text in the QR codes.",
    )
    digest = sha256_hex(text.encode())
    # The answer is on the record before the screen shows anything.
    ask = Ask(key=f"qr/{key}", text="Show it as QR codes now?", by=actor, shown=shown, digest=digest, choices=("leave out", "show"))
    if (yield ask) == "show":
        text_read = f"Were the QR codes read: {what}?"
        yield Ask(key=f"qr/{key}/read", text=text_read, by=actor, digest=digest, choices=("read", "not read"), qr=text)
