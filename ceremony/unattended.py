"""The face of a rehearsal without people: it types back what the screen asks for.

The answers file holds only choices, deviations and planned mistakes; digest words and share words come
from the questions themselves. An entry that no step can reach, or that none used, is an error.
"""

import re
import signal
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import msgspec

from ceremony.engine.step import Answer, Ask, Interrupt, Notice, Secret
from ceremony.errors import CeremonyError
from ceremony.said import notice_lines
from ceremony.secret_typing import typing_of

MOST_REPEATS = 5
"""How often one question may come again before the run gives up: more would repeat for ever."""

_PAUSED = "The question is not answered; the record holds all answers before it."

SECRET_KEY = "secret"  # noqa: S105 - the place of a planned mistake, not a secret
"""The key under which a step's activation data can be mistyped."""
PASSPHRASE_KEY = "passphrase"
"""The same for the passphrase of somebody's credential."""


class PlannedDeviation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A deviation that somebody reports when question `at` ("<step>/<key>") is asked."""

    at: str
    text: str


class PlannedMistake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is typed first at question `at` ("<step>/<key>", "<step>/secret" for a PIN, "<step>/passphrase" for a credential's)."""

    at: str
    value: str


class Answers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answers file. Keys of `answers` are "<step number or kind>/<key of the question>"; before the first step it is 0."""

    answers: dict[str, str] = {}
    deviations: tuple[PlannedDeviation, ...] = ()
    mistakes: tuple[PlannedMistake, ...] = ()

    def places(self) -> list[str]:
        """Each place that the file speaks of, in order; a place stands as often as it is named."""
        return [*self.answers, *(entry.at for entry in self.deviations), *(entry.at for entry in self.mistakes)]


def read_answers(octets: bytes) -> Answers:
    """The answers of a TOML file. Raises CeremonyError ANSWERS-BROKEN or ANSWERS-UNKNOWN."""
    try:
        answers = msgspec.convert(tomllib.loads(octets.decode()), Answers)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as broken:
        raise CeremonyError("ANSWERS-BROKEN", f"The answers file is not TOML: {broken}") from broken
    except msgspec.ValidationError as unknown:
        raise CeremonyError("ANSWERS-UNKNOWN", f"The answers file: {unknown}") from unknown
    for place in answers.places():
        step, slash, key = place.partition("/")
        if not (step and slash and key):
            raise CeremonyError("ANSWERS-UNKNOWN", f"The answers file names {place!r}, which is not <step number or kind>/<key>.")
    return answers


class Unattended:
    """A Face that answers by itself: `ask.accept` (also blind), else what the answers file says, else the first choice.

    `kinds` are the kinds of the script's steps in order, so that answers can be given by kind.
    `taken_over` says that a person went on by hand; then unused answers are no error.
    """

    def __init__(self, answers: Answers | None = None, tell: Callable[[str], object] = print, *, kinds: Sequence[str] = ()) -> None:
        """Raises CeremonyError ANSWERS-UNKNOWN when an entry names a step that the script does not have."""
        self._answers = answers or Answers()
        self._say = tell
        self._kinds = tuple(kinds)
        self._step = 0
        self._used: set[str] = set()
        self._deviations = list(self._answers.deviations)
        self._mistakes = list(self._answers.mistakes)
        self._asked: Counter[tuple[object, ...]] = Counter()
        self.taken_over = False
        self._stopped_by: int | None = None
        steps = {*self._kinds, *map(str, range(len(self._kinds) + 1))}
        for place in self._answers.places():
            if self._kinds and place.partition("/")[0] not in steps:
                raise CeremonyError("ANSWERS-UNKNOWN", f"The answers file names {place!r}, but the script has no such step.")

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While open, SIGTERM, SIGHUP and SIGINT are kept until the next question, and answer it as a recorded stop. Main thread only."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._stopped_by = number

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def ask(self, ask: Ask) -> Answer | Interrupt:
        """The planned deviation, then the planned mistake, then the answer. Raises CeremonyError ANSWERS-MISSING, ANSWERS-REFUSED."""
        if self._stopped_by is not None:
            return Interrupt(kind="signal", text=signal.Signals(self._stopped_by).name, exit_code=128 + self._stopped_by)
        places = self._places(ask.key)
        for deviation in self._deviations:
            if deviation.at in places:
                self._deviations.remove(deviation)
                return Interrupt(kind="deviation", text=deviation.text, by=ask.by)
        # A step that asks anew gives the question another number.
        question = (self._step, re.sub(r"[0-9]+", "", ask.key), ask.text, ask.by, ask.accept, ask.digest)
        self._asked[question] += 1
        if self._asked[question] > MOST_REPEATS:
            what = f"Question {places[0]} came {MOST_REPEATS + 1} times; the answers lead nowhere."
            raise CeremonyError("ANSWERS-REFUSED", what, state=_PAUSED)
        mistake = self._mistake(places)
        value = self._value(ask, places) if mistake is None else mistake
        self._say(f"  {ask.text}")
        self._say(f"  [{ask.by}] {value}")
        return Answer(value=value, by=ask.by)

    def tell(self, notice: Notice) -> None:
        """Prints the notice; keeps in mind which step is open."""
        if notice.kind == "step-started" and notice.step is not None:
            self._step = notice.step
        for line in notice_lines(notice):
            self._say(line)

    def secret(self, secret: Secret) -> bytearray | Interrupt:
        """What the rehearsal offers; a share word by word. Raises CeremonyError SECRET-NEEDS-PERSON, ANSWERS-REFUSED."""
        entries = self.typed(secret)
        if secret.kind != "share":
            return bytearray(entries[0].encode())
        typing = typing_of(secret)
        for word in entries:
            if problem := typing.enter(bytearray(word.encode())):
                self._say(f"  ERROR {problem}")
            if whole := typing.taken():
                return whole
        raise CeremonyError("ANSWERS-REFUSED", f"{secret.what}: what is typed is no whole share.", state=_PAUSED)

    def typed(self, secret: Secret) -> list[str]:
        """What is typed, one entry after the other: a planned mistake in place of a PIN, or before the words of a share.

        Raises CeremonyError SECRET-NEEDS-PERSON when the rehearsal offers nothing.
        """
        offered = secret.suggestion
        if offered is None and secret.reveal:
            offered = secret.reveal.octets.decode()
        if offered is None:
            raise CeremonyError("SECRET-NEEDS-PERSON", f"{secret.what} must be typed by a person.")
        self._say(f"  [{secret.by}] {secret.what}: typed, not shown")
        mistake = self._mistake(self._places(PASSPHRASE_KEY if secret.kind == "passphrase" else SECRET_KEY))
        if secret.kind == "share":
            return [*(mistake or "").split(), *offered.split()]
        return [offered if mistake is None else mistake]

    def passed(self, step: int, key: str) -> None:
        """An earlier session dealt with this question: what the answers file says of it has been used."""
        self._step, now = step, self._step
        places = self._places(key)
        self._step = now
        self._used.update(places)
        self._deviations = [entry for entry in self._deviations if entry.at not in places]
        self._mistakes = [entry for entry in self._mistakes if entry.at not in places]

    def finish(self) -> None:
        """At the end of a run. Raises CeremonyError ANSWERS-UNUSED for entries that nothing asked for."""
        unused = [place for place in self._answers.answers if place not in self._used]
        unused += [deviation.at for deviation in self._deviations] + [mistake.at for mistake in self._mistakes]
        if unused and not self.taken_over:
            raise CeremonyError("ANSWERS-UNUSED", f"Nothing asked for these entries of the answers file: {', '.join(unused)}.")

    def _places(self, key: str) -> list[str]:
        kind = self._kinds[self._step - 1] if 0 < self._step <= len(self._kinds) else None
        return [f"{self._step}/{key}", *([f"{kind}/{key}"] if kind else [])]

    def _mistake(self, places: list[str]) -> str | None:
        for mistake in self._mistakes:
            if mistake.at in places:
                self._mistakes.remove(mistake)
                return mistake.value
        return None

    def _value(self, ask: Ask, places: list[str]) -> str:
        for place in places:
            if place in self._answers.answers:
                self._used.add(place)
                return self._answers.answers[place]
        if ask.accept is not None:
            return ask.accept
        if ask.choices:
            return ask.choices[0]
        if ask.least:
            what = f"{ask.text} The answers file has no entry {' or '.join(map(repr, places))}."
            raise CeremonyError("ANSWERS-MISSING", what, state=_PAUSED)
        return ""
