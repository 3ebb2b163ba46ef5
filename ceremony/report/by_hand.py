"""What is written on the paper by hand: deviation sheets, sign-offs, the auditor's opinion."""

from ceremony.report.blocks import Block, DigestByHand, Heading, NewPage, Paragraph, Sheet, Table
from ceremony.report.record import Record

DEVIATION_SHEETS = 4
_DEVIATION = (
    ("Step, and time (UTC)", 1),
    ("What the script says", 2),
    ("What happened", 3),
    ("What was decided, and why", 3),
    ("note (one person), or override (two people)", 1),
    ("First person: id, name, signature", 1),
    ("Second person: id, name, signature", 1),
)


def deviation_sheets() -> list[Block]:
    """Forms for what is not done as written."""
    about = Paragraph(
        "One sheet for each thing that is not done as written. It is told to the program too (F2), which records it. Steps are not "
        "reordered, and nothing of a failed verification, of the key or of a signature can be overridden: the way out is to abort."
    )
    sheets = tuple(Sheet(f"Deviation {number}", _DEVIATION) for number in range(1, DEVIATION_SHEETS + 1))
    return [NewPage(), Heading("Deviation sheets"), about, *sheets]


def sign_off_tables(record: Record) -> list[Block]:
    """A table to sign for each sign-off that the script wants."""
    rows = tuple((person.id, person.name, person.role, "", "", "") for person in record.script.participants if person.role != "observer")
    columns = ("Id", "Name", "Role", "As written / with deviations / refused", "Time (UTC)", "Signature")
    blocks: list[Block] = [
        NewPage(),
        Heading("Sign-offs"),
        Paragraph(
            "Everybody who is present and no observer signs off before each export and at the close, with a credential of their own; "
            "this is the same by ink. A refusal is written down and does not erase."
        ),
    ]
    for number, step in enumerate(record.script.steps, 1):
        if step.get("kind") in SEALING:
            blocks += [
                Heading(f"Step {number}. {step.get('title')}", 2),
                Table(columns, rows, (3, 5, 4, 6, 3, 6), (0,), by_hand=True),
            ]
    return blocks


def fingerprint_to_keep(record: Record) -> list[Block]:
    """A page to cut in two: the fingerprint as two people wrote it, to be kept apart from the record and from each other."""
    label = f"Fingerprint at the close of {record.script.id}, written by hand as it was read aloud"
    kept = Table(("Written by", "Date", "Signature"), (("", "", ""),), (4, 2, 5), by_hand=True)
    return [
        NewPage(),
        Heading("The fingerprint, to keep"),
        Paragraph(
            "Cut in two. Two people keep a half each, apart from the record and from each other: only this paper makes the record proof."
        ),
        DigestByHand(label),
        kept,
        DigestByHand(label),
        kept,
    ]


SEALING = ("crossing", "close")
"""The kinds of steps in which people sign off and a bundle is sealed."""


def compared_by_hand(record: Record) -> list[Block]:
    """Room for the hand: each participant says that the fingerprint on the paper is the one on the screen."""
    rows = tuple((person.id, person.name, person.role, "", "") for person in record.script.participants)
    return [
        Heading("Compared by hand"),
        Paragraph("Signed by whoever compared the fingerprint on page 1 with their own paper, digit for digit or word for word."),
        Table(("Id", "Name", "Role", "Date", "Signature"), rows, (2, 4, 3, 2, 5), (0,), by_hand=True),
    ]


def auditors_opinion(record: Record) -> list[Block]:
    """A page for the opinion of a qualified auditor, where the script says that the key generation is witnessed by one or by video."""
    if record.script.evidence not in ("video", "qualified-auditor"):
        return []
    seen = {
        "qualified-auditor": "The auditor was in the room while the key was made, from before the token was taken into use until after the "
        "close, or says below what they did not see.",
        "video": "The auditor saw the whole video of the key generation and compared its recording-medium numbers with the record, or says "
        "below what they did not see.",
    }[record.script.evidence]
    auditors = ", ".join(f"{person.name} ({person.id})" for person in record.script.participants if person.role == "auditor")
    return [
        NewPage(),
        Heading("The qualified auditor's opinion"),
        Paragraph(
            "Asked for by Baseline Requirements 6.1.1.1: that the CA followed its script, and that the controls named there kept the "
            f"integrity and confidentiality of the key pair. {seen}"
        ),
        Paragraph(f"Auditors in the script: {auditors or 'none; whoever gives the opinion writes who they are'}."),
        Sheet(
            "Opinion",
            (
                ("Script followed, and its digest compared (yes, or what not)", 3),
                ("Key made in the token, under the control of several people", 3),
                ("Deviations looked at, and what the auditor makes of each", 4),
                ("What the auditor did not see", 3),
                ("Opinion", 6),
                ("Name, qualification, firm", 2),
                ("Place, date", 1),
                ("Signature", 2),
            ),
        ),
    ]
