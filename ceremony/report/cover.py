"""Page one: what this is of, where it stands, and the digests that people compare with their own paper."""

import msgspec

from ceremony.pki.lost_ledger import PreviousTable
from ceremony.report.backup import backup_box
from ceremony.report.blocks import Block, Box, Facts, Paragraph, Table, digest_block
from ceremony.report.happened import events_of
from ceremony.report.record import Record
from ceremony.report.rows import spoken, text_of, told
from ceremony.transcript import Line

EVIDENCE = {
    "witness": "by the witnesses present",
    "video": "by video, from before the key is made until after",
    "qualified-auditor": "by a qualified auditor, who is in the room and confirms it",
}


def numbers_of_trouble(record: Record) -> set[int]:
    """The numbers of the lines that tell of something not as written."""
    return {event.seq for event in events_of(record.lines, record.opened_data) if event.trouble}


def cover_of_script(record: Record) -> list[Block]:
    """The cover of a ceremony not yet held."""
    return [
        Box(
            "This is the script for the room",
            (
                "People approve a ceremony script by the digest below; the program shows the same digest before it begins.",
                "Each step has the words to read aloud, and room for the time (UTC) and for initials. What is not done as written goes on "
                "a deviation sheet. The paper goes with the record; it does not replace it.",
            ),
        ),
        digest_block("Ceremony script, SHA-256 of script.toml", record.script_sha256),
        Facts(_of_script(record)),
        backup_box(record),
        *_smaller_group(record),
        *_lost_ledger(record),
        Table(
            ("Place", "Date", "Begun (UTC)", "Ended (UTC)"),
            (("", "", "", ""),),
            (5, 3, 3, 3),
            by_hand=True,
        ),
    ]


def cover_of_report(record: Record) -> list[Block]:
    """The cover of a ceremony that was held, as far as it got."""
    opened = record.opened
    assert opened is not None  # noqa: S101 - the caller has lines, and the first is `opened`
    last = record.lines[-1]
    facts = [
        ("Ceremony", opened.ceremony),
        ("Held", f"{spoken(record.lines[0].time)} to {spoken(last.time)}"),
        ("Stands at", _standing(last)),
        ("Not as written", _troubles_in_words(record)),
        ("The key is kept by", _key_place(record)),
    ]
    token = record.token
    named = [f"{name} {token[name]}" for name in ("label", "serial", "manufacturer", "model") if token.get(name)]
    facts += [("Token", ", ".join(named))] if named else []
    return [
        _mode_in_words(opened.rehearsal),
        Facts((*facts, *_of_script(record))),
        *_fingerprints(record),
        backup_box(record),
        *_smaller_group(record),
        *_lost_ledger(record),
    ]


def _fingerprints(record: Record) -> list[Block]:
    announced, last = record.announced, record.lines[-1]
    blocks: list[Block] = []
    if announced:
        after = last.seq - announced.seq
        said = "" if not after else f"; {after} later line{'s are' if after > 1 else ' is'} told of here and not covered by it"
        blocks.append(digest_block(f"Fingerprint of the ceremony (line {announced.seq}{said})", announced.sha256))
    if record.root_certificate_sha256:
        blocks.append(digest_block("Root certificate, SHA-256 of its DER", record.root_certificate_sha256))
    return [*blocks, digest_block("Ceremony script, SHA-256 of script.toml", record.script_sha256)]


def _of_script(record: Record) -> tuple[tuple[str, str], ...]:
    script = record.script
    window = script.window
    rows = [("Script", f"{script.id}, policy {script.policy or 'not named'}")]
    if window:
        rows.append(("May be held", f"from {text_of(window.get('from'))} to {text_of(window.get('to'))}, both days included"))
    if script.root:
        rows.append(("Root", f"{text_of(script.root.get('subject'))}, key {text_of(script.root.get('key'))}"))
    if isinstance(old := script.rest.get("roll_over"), dict):
        until = text_of(old.get("overlap_until"))
        rows.append(("Rolls over from", f"{text_of(old.get('label'))}, {text_of(old.get('subject'))}; both hold until {until}"))
    if script.activation:
        rows += told(script.activation.lines()[:3])
    return (*rows, ("Key generation", f"witnessed {EVIDENCE.get(script.evidence, script.evidence)}"))


_NO_EVIDENCE = (
    "This report is a rendering, not evidence: it says nothing that the record does not. The evidence is the transcript, and the "
    "fingerprint that the people present wrote on paper. Compare it with the one below, then check the bundle as the last page says."
)


def _mode_in_words(rehearsal: bool) -> Box:
    if rehearsal:
        held = "Held to practise, on a throw-away token. Nothing that came out of it may be trusted by anything."
        return Box("REHEARSAL", (held, _NO_EVIDENCE))
    return Box("PRODUCTION", ("The record says that this was the ceremony itself, not a rehearsal.", _NO_EVIDENCE))


def _smaller_group(record: Record) -> list[Block]:
    so = record.script.activation.so if record.script.activation else None
    if so is None or not so.smaller:
        return []
    return [
        Box(
            "The SO PIN is held by a smaller group than the user PIN",
            ("Whoever has the SO PIN can set a new user PIN and use the key.", f"Reason given by the script: {so.smaller}"),
        )
    ]


def _key_place(record: Record) -> str:
    opened = record.opened
    module = opened.module if opened else None
    if module is None:
        return "no PKCS#11 module was in use"
    if module.get("software"):
        return f"{module.get('description') or module.get('manufacturer')}: a SOFTWARE module, no hardware protects the key"
    return f"{module.get('description') or module.get('manufacturer')}: hardware as claimed by the module, not attested"


def _lost_ledger(record: Record) -> list[Block]:
    """What the script says of a ledger that is lost; a table of another shape stands with the rest of the script."""
    try:
        table = msgspec.convert(record.script.rest.get("previous"), PreviousTable | None)
    except msgspec.ValidationError:
        return []
    return [Box("The ledger of the ceremony before is LOST", table.lost.lines())] if table and table.lost else []


def _standing(last: Line) -> str:
    match last.type:
        case "sealed":
            return f"sealed as bundle {last.data.get('bundle')}"
        case "closed":
            return "closed"
        case "aborted":
            return f"ABORTED: {last.data.get('text') or 'no reason given'}"
        case "paused":
            return f"paused ({last.data.get('reason')})"
    return "OPEN: the record ends in the middle of a session"


def _troubles_in_words(record: Record) -> str:
    count = len(numbers_of_trouble(record))
    return f"{count} line{'s' * (count > 1)} of the record: see the next chapter" if count else "nothing"


def cover_note(record: Record) -> Paragraph:
    """What the numbers mean that stand all over the report."""
    return Paragraph(
        f"#n is line n of the transcript, which has {len(record.lines)} lines. All times are UTC. A bar at the left marks what was not "
        "as written."
    )
