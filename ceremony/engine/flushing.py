"""On the disk before the screen says it happened: the record is flushed before a face is told or asked anything."""

from ceremony.engine.step import Answer, Ask, Face, Interrupt, Notice, Secret
from ceremony.errors import CeremonyError
from ceremony.transcript import Transcript


class RecordStops(Exception):
    """The record can't be written, or does not fit its script: nothing more is done or written, and the session ends."""

    def __init__(self, error: CeremonyError) -> None:
        super().__init__(error.what)
        self.error = error


class Flushing:
    """A Face before another: flushes the record, then passes on. Raises RecordStops when that can't be."""

    def __init__(self, face: Face, transcript: Transcript) -> None:
        self._face, self._transcript = face, transcript

    def _flush(self) -> None:
        try:
            self._transcript.flush()
        except CeremonyError as failed:
            raise RecordStops(failed) from failed

    def ask(self, ask: Ask) -> Answer | Interrupt:
        """As Face."""
        self._flush()
        return self._face.ask(ask)

    def tell(self, notice: Notice) -> None:
        """As Face."""
        self._flush()
        self._face.tell(notice)

    def secret(self, secret: Secret) -> bytearray | Interrupt:
        """As Face."""
        self._flush()
        return self._face.secret(secret)
