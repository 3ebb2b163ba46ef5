"""TLS of the simulator's faces: server contexts, and the chain that a device sent.

A device's chain is not judged here, as far as TLS lets us: every CA certificate that the service knows is a trust anchor, verified
or not, and times are not looked at. So a refusal comes from the rules (registration.py), with a number and a message. Only a chain
that leads to nothing the service ever saw ends in the handshake, which is earlier than at the real service.
"""

import ssl
from collections.abc import Callable

from ceremony.simulator.identity import Identity

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h, which the ssl module does not name."""
_ENCODING_DER = 2
"""_ssl.ENCODING_DER of Python 3.10 to 3.12."""


def server_context(identity: Identity) -> ssl.SSLContext:
    """TLS 1.2 or newer, without client certificates: for the faces that take bearer tokens. Raises OSError for an unreadable identity."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.certificate_file, identity.key_file)
    return context


def device_context(identity: Identity, trust_anchors: Callable[[], list[bytes]]) -> ssl.SSLContext:
    """TLS 1.2 with a client certificate that leads to one of `trust_anchors()` (DER), asked again at each handshake.

    One context serves all connections for as long as the simulator runs. An anchor once seen stays trusted by TLS; whether it still
    counts is for the rules. Raises OSError for an unreadable identity.
    """
    context = server_context(identity)
    # TLS 1.2 is what the service asks of devices; with 1.3 a client hears of a refused certificate only after its handshake.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    # A session resumed by a ticket brings no chain with it (cpython issue 160171), and the chain is what the rules judge.
    context.options |= ssl.OP_NO_TICKET
    known: set[bytes] = set()

    def learn(_connection: ssl.SSLObject | ssl.SSLSocket, _server_name: str | None, _context: ssl.SSLContext) -> None:
        new = [der for der in trust_anchors() if der not in known]
        if new:
            context.load_verify_locations(cadata=b"".join(new))
            known.update(new)

    context.sni_callback = learn
    return context


def peer_chain(connection: ssl.SSLSocket | ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates (DER) that the other side sent, its own first, nothing added and nothing left out; () when it sent none."""
    # Without a certificate some versions raise in what follows (cpython issue 160171).
    if connection.getpeercert(binary_form=True) is None:
        return ()
    if hasattr(connection, "get_unverified_chain"):
        return tuple(connection.get_unverified_chain())
    # Python 3.11 and 3.12 have it only below the public class; it came up in 3.13 under this name.
    below = connection._sslobj  # type: ignore[union-attr]  # typeshed does not know the private attribute
    return tuple(certificate.public_bytes(_ENCODING_DER) for certificate in below.get_unverified_chain())
