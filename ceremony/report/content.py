"""The report of a ceremony as blocks, from the script's bytes, the lines of the transcript and the certificates.

Nothing else goes in, no clock and no machine, so that anybody can make the same report again. With no
lines it is the paper script: the same steps with room to write beside them.
"""

from collections.abc import Mapping, Sequence

from ceremony.report.blocks import Block, Box, Content, Digest, Facts, Paragraph, digest_block, escaped
from ceremony.report.chapters import (
    auditors_opinion,
    certificates_made,
    keys,
    made,
    numbers_of_trouble,
    orders,
    participants,
    people,
    physical_facts,
    plan,
    requests,
    sessions,
    sign_offs,
    steps,
    to_compare,
    troubles,
)
from ceremony.report.record import Record, read_record
from ceremony.report.verifying import how_to_verify
from ceremony.transcript import Line

EVIDENCE = {"witness": "by the witnesses present", "video": "by video", "qualified-auditor": "by a qualified auditor"}
BACKUPS = {
    "vendor-clone": ("A second token, cloned by its vendor's tools", "The root key is cloned to a second token by the vendor's own tools."),
    "twin-root": ("A twin root", "A second root with a key of its own stands ready."),
}


def report_content(script: bytes, lines: Sequence[Line], *, certificates: Mapping[str, bytes]) -> Content:
    """The report as blocks, every text in it escaped.

    `script` is the exact bytes of the ceremony script (TOML), `lines` the transcript (or its first lines up to
    a seal), [] for a ceremony not yet held; `certificates` gives the DER of each certificate by its path in the
    bundle. Raises CeremonyError REPORT-SCRIPT or RECORD-BROKEN.
    """
    record = read_record(script, lines)
    mode = _mode(record)
    announced = record.announced
    content = Content(
        title=record.script.title,
        kind="Report of a root key ceremony" if lines else "Script of a root key ceremony",
        mode=mode,
        footer=f"Fingerprint {announced.sha256}" if announced else f"Script SHA-256 {record.script_sha256}",
        made_of=lines[-1].time if lines else "",
        blocks=tuple(_held(record, certificates) if lines else _not_yet_held(record)),
    )
    return escaped(content)


def _mode(record: Record) -> str:
    if record.opened is None:
        return "NOT YET HELD"
    return "REHEARSAL" if record.opened.rehearsal else "PRODUCTION"


def _held(record: Record, certificates: Mapping[str, bytes]) -> list[Block]:
    return [
        *_first_page(record),
        *troubles(record),
        *people(record),
        *physical_facts(record),
        *plan(record),
        *made(record),
        *keys(record),
        *orders(record),
        *certificates_made(record, certificates),
        *requests(record),
        *steps(record),
        *sign_offs(record),
        *sessions(record),
        *how_to_verify(record),
        *to_compare(record),
        *auditors_opinion(record),
    ]


def _not_yet_held(record: Record) -> list[Block]:
    about = Box(
        "This is the script on paper",
        (
            "People approve a ceremony script by the digest below. The program shows the same digest before it begins.",
            "Beside each step there is room for the time, for initials and for what was not done as written.",
        ),
    )
    return [about, *_about_the_script(record), _backup(record), *participants(record), *plan(record), *steps(record), *to_compare(record)]


def _first_page(record: Record) -> list[Block]:
    opened = record.opened
    assert opened is not None  # noqa: S101 - the caller has lines, and the first is `opened`
    last = record.lines[-1]
    facts = [
        ("Ceremony", opened.ceremony),
        ("Held", f"{_spoken(record.lines[0].time)} to {_spoken(last.time)}"),
        ("Stands at", _standing(last)),
        ("Not as written", _troubles_in_words(record)),
        ("The key is kept by", _key_place(record)),
    ]
    token = next((products.token for products in reversed([*record.products()]) if products.token), {})
    facts += [(f"Token {name}", str(token[name])) for name in ("label", "serial", "manufacturer", "model") if token.get(name)]
    announced = record.announced
    fingerprints: list[Block] = []
    if announced:
        after = last.seq - announced.seq
        said = "" if not after else f"; {after} later line{'s are' if after > 1 else ' is'} told of here and not covered by it"
        fingerprints.append(digest_block(f"Fingerprint of the ceremony (line {announced.seq}{said})", announced.sha256))
    if record.root_certificate_sha256:
        fingerprints.append(digest_block("Root certificate, SHA-256 of its DER", record.root_certificate_sha256))
    return [
        _mode_in_words(opened.rehearsal),
        Facts(tuple(facts)),
        _backup(record),
        *fingerprints,
        *_about_the_script(record),
        Box(
            "This report is a rendering, not evidence",
            (
                "It was made by the program from the record and says nothing that the record does not say. The evidence is the "
                "transcript, and the fingerprint that the people present wrote on paper with their own hands.",
                "Compare the fingerprint above with that paper, then check the bundle as the last chapter says.",
            ),
        ),
    ]


def _mode_in_words(rehearsal: bool) -> Box:
    if rehearsal:
        return Box("REHEARSAL", ("Held to practise, on a throw-away token. Nothing that came out of it may be trusted by anything.",))
    return Box("PRODUCTION", ("The record says that this was the ceremony itself, not a rehearsal.",))


def _about_the_script(record: Record) -> list[Block]:
    script = record.script
    witnessed = EVIDENCE.get(script.evidence, script.evidence)
    digest: Digest = digest_block("Ceremony script, SHA-256 of script.toml", record.script_sha256)
    return [digest, Paragraph(f"Script {script.id}, policy {script.policy or 'not named'}. The key generation is witnessed {witnessed}.")]


def _backup(record: Record) -> Box:
    backup = record.script.backup
    if backup is None:
        return Box(
            "Backup of the root key: the script says nothing", ("A script must say how the root key is backed up, or that it is not.",)
        )
    if backup.kind == "none":
        return Box(
            "Backup of the root key: NONE",
            (
                "If the token is lost or fails, the root key is gone.",
                f"Reason: {backup.reason or 'none given'}",
                f"Who owns this risk: {backup.owner or 'nobody named'}",
            ),
        )
    title, text = BACKUPS.get(backup.kind, (backup.kind, "A kind of backup that this report has no words for."))
    return Box(f"Backup of the root key: {title}", (text, *([f"Reason: {backup.reason}"] if backup.reason else [])))


def _key_place(record: Record) -> str:
    opened = record.opened
    module = opened.module if opened else None
    if module is None:
        return "no PKCS#11 module was in use"
    if module.get("software"):
        return f"{module.get('description') or module.get('manufacturer')}: a SOFTWARE module, no hardware protects the key"
    return f"{module.get('description') or module.get('manufacturer')}: hardware as claimed by the module, not attested"


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


def _spoken(time: str) -> str:
    return time.rstrip("Z").replace("T", " ") + " UTC"
