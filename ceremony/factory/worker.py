"""A process that makes certificates: it takes batches from its standard input until that ends, and answers on its standard output.

It is started by `workers` as `python -I` in a session of its own, so that ^C in the terminal reaches the leading process alone.
"""

import os
from collections.abc import Iterable

from ceremony.errors import CeremonyError, unforeseen
from ceremony.factory.file_issuer_key import FileIssuerKey
from ceremony.factory.making import Maker, Sign
from ceremony.factory.messages import Batch, Done, Failed, Signatures, Start, ToSign, receive, receive_secret, send
from ceremony.machine.hardening import harden
from ceremony.pki.names import shown_text
from hsm.pipe import PipeClosed, wipe


def main() -> None:
    """Hides the pipe from whatever else prints, and serves until the leading process closes it or is gone."""
    harden(os.environ)
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    try:
        serve(requests, answers)
    except PipeClosed:
        return


def serve(requests: int, answers: int) -> None:
    """Makes each batch that comes. Raises PipeClosed when there will be no more."""
    start: Start = receive(requests, Start)
    secrets = [receive_secret(requests, length) for length in start.secrets]
    pkcs8, p12_passphrase, key_passphrase = secrets
    maker = Maker(start, _signing(pkcs8, requests, answers), p12_passphrase, key_passphrase)
    for secret in secrets:
        wipe(secret)
    while True:
        batch: Batch = receive(requests, Batch)
        send(answers, answer(maker, batch))


def _signing(pkcs8: bytearray, requests: int, answers: int) -> Sign:
    """By the intermediate's key in this process, or by the leading process, which has the token."""

    def by_token(to_be_signed: list[bytes], algorithm: str) -> Iterable[bytes]:
        send(answers, ToSign(to_be_signed))
        signatures: Signatures = receive(requests, Signatures)
        return signatures.made

    if not pkcs8:
        return by_token
    key = FileIssuerKey.from_pkcs8(pkcs8)
    return lambda to_be_signed, algorithm: (key.sign(octets, algorithm) for octets in to_be_signed)


def answer(maker: Maker, batch: Batch) -> Done | Failed:
    """Makes a batch, and says what came of it. Raises PipeClosed when the leading process is gone."""
    try:
        return Done(maker.make(batch.wanted, batch.folder))
    except PipeClosed:
        raise
    except CeremonyError as failed:
        error = failed
    except OSError as failed:
        what = f"The files of a batch could not be written to {shown_text(batch.folder)}: {failed.strerror}."
        error = CeremonyError("FACTORY-OUT-UNWRITABLE", what)
    except Exception as failed:  # noqa: BLE001 - the last place in this process: the leading one tells it, without what it may quote
        error = unforeseen(failed)
    return Failed(error.code, error.what, error.state, error.do_now)
