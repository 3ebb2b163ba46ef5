"""Device, machine and software, as the record has them, and the record itself, line by line."""

from ceremony.report.blocks import Block, Facts, Happened, Heading, Paragraph, Table
from ceremony.report.happened import events_of
from ceremony.report.record import Record
from ceremony.report.rows import rows, text_of


def device(record: Record) -> list[Block]:
    """The token and the module through which it was used, as they say of themselves."""
    opened = record.opened
    blocks: list[Block] = [Heading("The token and its module"), Paragraph("As module and token say of themselves.")]
    if opened and opened.module:
        blocks += [Heading("PKCS#11 module", 2), Facts(rows(opened.module))]
    else:
        blocks.append(Paragraph("No PKCS#11 module was in use."))
    if record.token:
        blocks += [Heading("Token, as it was used last", 2), Facts(rows(record.token))]
    for line, result in record.results("initialise-token"):
        arrangement = result.value.get("activation") if isinstance(result.value, dict) else None
        if isinstance(arrangement, dict):
            blocks += [Heading(f"Activation data, as it was made (line {line.seq})", 2), Facts(rows(arrangement))]
    return blocks


def software(record: Record) -> list[Block]:
    """The machine and the program with the digests of its packages."""
    opened = record.opened
    if opened is None:
        return []
    packages = opened.tool.get("packages")
    boots = dict.fromkeys(text_of(line.boot.get("id")) for line in record.lines)
    blocks: list[Block] = [
        Heading("Machine and software"),
        Facts((*rows(opened.machine), ("boots of the machine", ", ".join(boots)))),
        Facts(
            (
                ("Program", "ceremony"),
                *rows(opened.tool, but=("packages",)),
                *((f"site.{name}", value) for name, value in rows(opened.site)),
            )
        ),
    ]
    if isinstance(packages, dict):
        listed = tuple(
            (name, text_of(about.get("version")), text_of(about.get("sha256")))
            for name, about in packages.items()
            if isinstance(about, dict)
        )
        blocks += [
            Heading("Packages, with the SHA-256 of their files", 2),
            Table(("Package", "Version", "SHA-256"), listed, (4, 2, 10), (0, 1, 2)),
        ]
    return blocks


def whole_record(record: Record) -> list[Block]:
    """Every line of the record, in full and in its order."""
    about = Paragraph(
        "Every line of the transcript, in its order. What a line repeats of an earlier one is told by that line's number; a text of more "
        "than 300 characters (a certificate, bytes to be signed) by its length and SHA-256."
    )
    return [Heading("The record, line by line"), about, Happened(events_of(record.lines, record.opened_data))]
