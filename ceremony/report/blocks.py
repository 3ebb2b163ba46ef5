"""What a report is made of, before it is HTML or PDF. Every text that stands in a block has been escaped."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from ceremony.pki.printed import printed_text
from ceremony.words import grouped, words_of

WORDS_A_LINE = 8
NOT_BEGUN = "This step was not begun."


class Heading(msgspec.Struct, frozen=True, tag_field="block", tag="heading"):
    """A heading; level 1 begins a chapter, 2 a part of it."""

    text: str
    level: int = 1


class Paragraph(msgspec.Struct, frozen=True, tag_field="block", tag="paragraph"):
    """Running text."""

    text: str


class Box(msgspec.Struct, frozen=True, tag_field="block", tag="box"):
    """What must not be overlooked, in a frame: a title and paragraphs."""

    title: str
    lines: tuple[str, ...]


class Facts(msgspec.Struct, frozen=True, tag_field="block", tag="facts"):
    """Names and values, a row each; the values are data (monospace)."""

    rows: tuple[tuple[str, str], ...]


class Digest(msgspec.Struct, frozen=True, tag_field="block", tag="digest"):
    """A SHA-256 for people: 4-hex groups and PGP words, some to a line. Made by `digest_block`."""

    label: str
    groups: tuple[str, ...]
    words: tuple[str, ...]


class Typed(msgspec.Struct, frozen=True, tag_field="block", tag="typed"):
    """Words that somebody types from this paper: large, in a frame, lines of four, under a label that says who."""

    label: str
    lines: tuple[str, ...]


class Table(msgspec.Struct, frozen=True, tag_field="block", tag="table"):
    """A table. `widths` are shares of the line; `data` numbers the columns (from 0) that are monospace.

    `by_hand` leaves room in each row to write.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    data: tuple[int, ...] = ()
    by_hand: bool = False


class Listing(msgspec.Struct, frozen=True, tag_field="block", tag="listing"):
    """Lines of data or commands, exactly as they stand."""

    lines: tuple[str, ...]


class NewPage(msgspec.Struct, frozen=True, tag_field="block", tag="new-page"):
    """What follows begins on a page of its own."""


class DigestByHand(msgspec.Struct, frozen=True, tag_field="block", tag="digest-by-hand"):
    """Room to write a SHA-256: 16 groups of hex digits and 32 numbered words, under a label."""

    label: str


class Sheet(msgspec.Struct, frozen=True, tag_field="block", tag="sheet"):
    """A form to fill in by hand, kept on one page: labels, and how many lines each wants."""

    title: str
    fields: tuple[tuple[str, int], ...]


class Event(msgspec.Struct, frozen=True):
    """One line of the record: its number, its time (with the date where that changes), who, what, and particulars.

    `trouble` marks what was not as written: errors, deviations, refusals, interruptions.
    """

    seq: int
    time: str
    who: str
    text: str
    details: tuple[str, ...] = ()
    trouble: bool = False


class StepToTake(msgspec.Struct, frozen=True, tag_field="block", tag="step-to-take"):
    """A step of a script not yet held: what to read aloud and what the script says, a row a person for time and initials.

    `blanks` names what is written down beside it: the number of a bag, the fingerprint.
    """

    number: int
    title: str
    say: tuple[str, ...]
    written: tuple[tuple[str, str], ...]
    people: tuple[tuple[str, str], ...]
    blanks: tuple[str, ...] = ()


class StepTaken(msgspec.Struct, frozen=True, tag_field="block", tag="step-taken"):
    """A step that was written, and beside it what happened; `when` says from when to when, in which lines."""

    number: int
    title: str
    when: str
    say: tuple[str, ...]
    written: tuple[tuple[str, str], ...]
    events: tuple[Event, ...]


class Happened(msgspec.Struct, frozen=True, tag_field="block", tag="happened"):
    """Lines of the record, in full."""

    events: tuple[Event, ...]


class Node(msgspec.Struct, frozen=True):
    """A box of a tree: its depth (0 is the root), a title, and lines of data."""

    depth: int
    title: str
    lines: tuple[str, ...]


class Tree(msgspec.Struct, frozen=True, tag_field="block", tag="tree"):
    """A picture: boxes hanging from boxes. `alternative` tells it to whoever does not see it."""

    alternative: str
    nodes: tuple[Node, ...]


class Bar(msgspec.Struct, frozen=True):
    """One row of a timeline: a label, its times, and where its bar begins and ends, in thousandths of the whole."""

    label: str
    times: str
    start: int
    end: int
    trouble: bool = False


class Timeline(msgspec.Struct, frozen=True, tag_field="block", tag="timeline"):
    """A picture: bars under each other, from a first to a last time. `alternative` tells it to whoever does not see it."""

    alternative: str
    bars: tuple[Bar, ...]


Block = (
    Heading
    | Paragraph
    | Box
    | Facts
    | Digest
    | Typed
    | Table
    | Listing
    | NewPage
    | DigestByHand
    | Sheet
    | StepToTake
    | StepTaken
    | Happened
    | Tree
    | Timeline
)


class Content(msgspec.Struct, frozen=True):
    """A whole report. `mode` (REHEARSAL, PRODUCTION or NOT YET HELD) and `footer` stand on every page.

    `made_of` is the time of the record's last line (RFC 3339, UTC) and the only date of the document; "" without a record.
    """

    title: str
    kind: str
    mode: str
    footer: str
    made_of: str
    blocks: tuple[Block, ...]


_Anything = TypeVar("_Anything", bound=msgspec.Struct)


def digest_block(label: str, sha256: str) -> Digest:
    """A SHA-256 (64 hex digits) as a block; raises ValueError when it is not one."""
    octets = bytes.fromhex(sha256)
    if len(octets) != 32:
        raise ValueError(f"a SHA-256 has 32 bytes, not {len(octets)}")
    words = words_of(octets)
    return Digest(
        label,
        tuple(grouped(octets[start : start + 16]) for start in (0, 16)),
        tuple(" ".join(words[start : start + WORDS_A_LINE]) for start in range(0, 32, WORDS_A_LINE)),
    )


def typed_block(label: str, words: Sequence[str]) -> Typed:
    """Words as a block."""
    return Typed(label, tuple(" ".join(words[start : start + 4]) for start in range(0, len(words), 4)))


def escaped(part: _Anything) -> _Anything:
    """The same block or content with every text in it through `printed_text`, so that none can be forgotten."""
    return msgspec.convert(_escaped(msgspec.to_builtins(part)), type(part))


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return printed_text(value)
        case dict():
            return {key: _escaped(item) for key, item in value.items()}
        case list() | tuple():
            return [_escaped(item) for item in value]
    return value
