"""The report of a ceremony as blocks, from the script's bytes, the lines of the transcript and the certificates.

Nothing else goes in, no clock and no machine, so that anybody can make the same report again. Script for the room and report are
one model: with no lines it is the paper that the ceremony is held by, with lines the same script annotated, and the evidence after it.
"""

from collections.abc import Mapping, Sequence

from ceremony.report.approved import approved
from ceremony.report.blocks import Block, Content, NewPage, escaped
from ceremony.report.by_hand import auditors_opinion, compared_by_hand, deviation_sheets, fingerprint_to_keep, sign_off_tables
from ceremony.report.compliance import compliance
from ceremony.report.cover import cover_note, cover_of_report, cover_of_script
from ceremony.report.evidence import certificates_made, crls, fingerprints, keys, made, physical_facts, requests
from ceremony.report.people import participants_to_come, people
from ceremony.report.pictures import chain, timeline
from ceremony.report.record import Record, read_record
from ceremony.report.signing import orders, sign_offs, troubles
from ceremony.report.steps import steps_taken, steps_to_take
from ceremony.report.surroundings import device, software, whole_record
from ceremony.report.verifying import how_to_verify
from ceremony.transcript import Line


def report_content(script: bytes, lines: Sequence[Line], *, certificates: Mapping[str, bytes]) -> Content:
    """The report as blocks, every text in it escaped.

    `script` is the exact bytes of the ceremony script (TOML), `lines` the transcript (or its first lines up to
    a seal), [] for a ceremony not yet held; `certificates` gives the DER of each certificate by its path in the
    bundle. Raises CeremonyError REPORT-SCRIPT or RECORD-BROKEN.
    """
    record = read_record(script, lines)
    announced = record.announced
    content = Content(
        title=record.script.title,
        kind="Annotated script and evidence report of a root key ceremony" if lines else "Script of a root key ceremony, for the room",
        mode=_mode(record),
        footer=f"Fingerprint {announced.sha256}" if announced else f"Script SHA-256 {record.script_sha256}",
        made_of=lines[-1].time if lines else "",
        blocks=tuple(_held(record, certificates) if lines else _not_yet_held(record)),
    )
    return escaped(content)


def _mode(record: Record) -> str:
    if record.opened is None:
        return "NOT YET HELD"
    return "REHEARSAL" if record.opened.rehearsal else "PRODUCTION"


def _not_yet_held(record: Record) -> list[Block]:
    return [
        *cover_of_script(record),
        NewPage(),
        *participants_to_come(record),
        *approved(record),
        *steps_to_take(record),
        *deviation_sheets(),
        *sign_off_tables(record),
        *fingerprint_to_keep(record),
        *auditors_opinion(record),
        NewPage(),
        *how_to_verify(record),
    ]


def _held(record: Record, certificates: Mapping[str, bytes]) -> list[Block]:
    return [
        *cover_of_report(record),
        NewPage(),
        cover_note(record),
        *troubles(record),
        *chain(record, certificates),
        *timeline(record),
        *people(record),
        *approved(record),
        *steps_taken(record),
        *sign_offs(record),
        *physical_facts(record),
        *requests(record),
        *orders(record),
        *made(record),
        *certificates_made(record, certificates),
        *crls(record),
        *keys(record),
        *device(record),
        *software(record),
        *fingerprints(record),
        *compliance(record),
        *auditors_opinion(record),
        NewPage(),
        *compared_by_hand(record),
        *whole_record(record),
        NewPage(),
        *how_to_verify(record),
    ]
