"""The chain of certificates and the course of the ceremony, each drawn as a picture and told in words."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from cryptography import x509

from ceremony.crossing.record import Artifact
from ceremony.pki.names import name_text, shown_text
from ceremony.report.blocks import Bar, Block, Heading, Node, Paragraph, Timeline, Tree
from ceremony.report.cover import numbers_of_trouble
from ceremony.report.record import Record
from ceremony.report.rows import line_numbers, text_of
from ceremony.transcript import Line

_KINDS = {
    "root-certificate": "Root",
    "intermediate-certificate": "Intermediate",
    "proof-certificate": "Proof of possession",
    "cross-certificate": "Cross-certificate",
}
_OUTSIDE = 1000


def chain(record: Record, certificates: Mapping[str, bytes]) -> list[Block]:
    """The root and what hangs from it."""
    made = [artifact for artifact in record.artifacts if artifact.kind in _KINDS]
    if not made:
        return []
    root = record.own_root
    above = Node(0, "Root of an earlier ceremony", (f"SHA-256 {record.root_certificate_sha256 or 'not in this record'}",))
    first = _node(root, 0, certificates) if root else above
    # What another root of the chain signed hangs from that one, after all of the ceremony's own.
    elsewhere = [other for other in made if other.kind == "root-certificate" and other != root]
    by_them = {f"/by-{other.path.removeprefix('root/')}": other for other in elsewhere}
    of_them = [artifact for artifact in made if any(artifact.path.endswith(by) for by in by_them)]
    others = [_node(artifact, 1, certificates) for artifact in made if artifact.kind != "root-certificate" and artifact not in of_them]
    for by, other in by_them.items():
        others += [_node(other, 0, certificates), *(_node(cross, 1, certificates) for cross in of_them if cross.path.endswith(by))]
    told = f"{first.title}, under it: {'; '.join(node.title for node in others) or 'nothing yet'}"
    return [Heading("The chain"), Tree(told, (first, *others))]


def _node(artifact: Artifact, depth: int, certificates: Mapping[str, bytes]) -> Node:
    lines = [f"serial {artifact.serial}", artifact.path]
    if artifact.path in certificates:
        try:
            certificate = x509.load_der_x509_certificate(certificates[artifact.path])
            days = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
            lines = [days, f"issued by {shown_text(name_text(certificate.issuer))}", *lines]
        except ValueError:
            lines.append("its bytes cannot be read as a certificate")
    return Node(depth, f"{_KINDS[artifact.kind]}: {shown_text(artifact.subject or 'no subject')}", tuple(lines))


def timeline(record: Record) -> list[Block]:
    """When each step was done, session by session; each session has a scale of its own."""
    legend = Paragraph("Each session has its own scale. Black: as written. Striped: something in it was not as written.")
    blocks: list[Block] = [Heading("Timeline"), legend]
    marked = numbers_of_trouble(record)
    for number, lines in enumerate(_sessions(record), 1):
        first, last = _seconds(lines[0]), _seconds(lines[-1])
        whole = max(last - first, 1)
        bars = []
        for step, part in _by_step(lines):
            title = (
                text_of(record.script.steps[step - 1].get("title")) if step and step <= len(record.script.steps) else "between the steps"
            )
            start, end = ((_seconds(line) - first) * _OUTSIDE // whole for line in (part[0], part[-1]))
            times = f"{_clock(part[0])} to {_clock(part[-1])}, lines {line_numbers(line.seq for line in part)}"
            bars.append(Bar(f"{step}. {title}" if step else title, times, start, end, any(line.seq in marked for line in part)))
        ended = lines[-1].type if lines[-1].type in ("paused", "aborted", "closed") else "goes no further in this record"
        told = f"Session {number}: {_day(lines[0])} {_clock(lines[0])} to {_day(lines[-1])} {_clock(lines[-1])} UTC, {ended}"
        blocks += [Heading(told, 2), Timeline(f"{told}; {'; '.join(f'{bar.label}: {bar.times}' for bar in bars)}", tuple(bars))]
    return blocks


def _sessions(record: Record) -> Iterator[list[Line]]:
    session: list[Line] = []
    for line in record.lines:
        if line.type == "resumed" and session:
            yield session
            session = []
        session.append(line)
    if session:
        yield session


def _by_step(lines: list[Line]) -> Iterator[tuple[int, list[Line]]]:
    part: list[Line] = []
    for line in lines:
        if part and line.step != part[0].step:
            yield part[0].step or 0, part
            part = []
        part.append(line)
    if part:
        yield part[0].step or 0, part


def _seconds(line: Line) -> int:
    return int(datetime.fromisoformat(line.time).timestamp())


def _clock(line: Line) -> str:
    return line.time.rstrip("Z").partition("T")[2]


def _day(line: Line) -> str:
    return line.time.partition("T")[0]
