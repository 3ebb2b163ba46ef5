"""A few certificates, made by the leading process itself: to start another would take longer than to make them."""

from collections.abc import Iterable

from ceremony.factory.file_issuer_key import FileIssuerKey
from ceremony.factory.issuer_key import TokenIssuerKey
from ceremony.factory.making import Maker
from ceremony.factory.messages import Batch, Done, Failed, Start
from ceremony.factory.worker import answer
from hsm.pipe import wipe

FEW = 5
"""So many at most. A first signal to stop waits until they are made, on a slow token some seconds each."""


class Here:
    """Does what a `workers.Worker` does, at once and in this process."""

    def __init__(
        self, start: Start, key: FileIssuerKey | TokenIssuerKey, p12_passphrase: bytearray, key_passphrase: bytearray
    ) -> None:
        """The passphrases (UTF-8, empty where none are wanted) are wiped."""

        def sign(to_be_signed: list[bytes], algorithm: str) -> Iterable[bytes]:
            if isinstance(key, TokenIssuerKey):
                return key.sign_many(to_be_signed, algorithm)
            return (key.sign(octets, algorithm) for octets in to_be_signed)

        try:
            self._maker = Maker(start, sign, p12_passphrase, key_passphrase)
        finally:
            wipe(p12_passphrase)
            wipe(key_passphrase)
        self._answer: Done | Failed | None = None

    def tell(self, batch: Batch) -> None:
        """Makes the batch."""
        self._answer = answer(self._maker, batch)

    def hear(self) -> Done | Failed:
        """What came of it."""
        assert self._answer is not None  # noqa: S101  # it is told first
        return self._answer
