"""Which certificates TLS hands to the rules."""

import socket
import ssl
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from ceremony.simulator.identity import make_identity
from ceremony.simulator.tls import device_context, peer_chain, server_context
from tests.simulator.device_chains import factory, written
from tests.simulator.mqtt_client import context_of


def seen_chain(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[bytes, ...]:
    """One handshake over a pair of sockets; what the server's side knows of the client."""
    ours, theirs = socket.socketpair()
    found: list[tuple[bytes, ...]] = []

    def serve() -> None:
        with server.wrap_socket(ours, server_side=True) as connection:
            found.append(peer_chain(connection))

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(theirs, server_hostname="127.0.0.1") as connection:
        connection.recv(1)
    thread.join()
    return found[0]


@pytest.fixture
def made(tmp_path: Path):
    return factory()


def test_the_chain_is_what_was_sent_in_that_order(made, tmp_path):
    identity = make_identity(tmp_path)
    leaf, chain = made.device("dev-1")
    context = device_context(identity, made.state.trust_anchors)
    for above in ((made.alpha,), (made.alpha, made.root), (made.alpha, made.beta)):
        files = written(tmp_path, "dev-1", leaf, *above)
        assert seen_chain(context, context_of(identity.ca_file, files)) == (leaf.der, *(holder.der for holder in above))
    # Nothing is added from what the service knows, though TLS found the issuer there.
    assert seen_chain(context, context_of(identity.ca_file, written(tmp_path, "dev-1", leaf))) == (leaf.der,)


def test_a_face_that_asks_for_no_certificate_sees_none(made, tmp_path):
    identity = make_identity(tmp_path)
    files = written(tmp_path, "dev-1", made.device("dev-1")[0], made.alpha)
    assert seen_chain(server_context(identity), context_of(identity.ca_file, files)) == ()


def test_from_python_3_13_on_the_public_method_is_used():
    class Connection:
        def getpeercert(self, binary_form: bool = False) -> bytes:
            return b"leaf"

        def get_unverified_chain(self) -> list[bytes]:
            return [b"leaf", b"above"]

    assert peer_chain(cast(Any, Connection())) == (b"leaf", b"above")


def test_anchors_are_asked_for_at_each_handshake(made, tmp_path):
    identity, asked = make_identity(tmp_path), list[int]()

    def anchors() -> list[bytes]:
        asked.append(1)
        return [made.root.der] if len(asked) > 1 else []

    leaf, _ = made.device("dev-1")
    context, client = device_context(identity, anchors), context_of(identity.ca_file, written(tmp_path, "dev-1", leaf, made.alpha))
    ours, theirs = socket.socketpair()
    refused: list[BaseException] = []

    def serve() -> None:
        try:
            context.wrap_socket(ours, server_side=True)
        except OSError as failed:
            refused.append(failed)
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(OSError), client.wrap_socket(theirs, server_hostname="127.0.0.1") as connection:
        connection.recv(1)
    thread.join()
    assert isinstance(refused[0], ssl.SSLCertVerificationError)
    assert seen_chain(context, client) == (leaf.der, made.alpha.der)
