"""Orders, signatures and sign-offs: who wanted what, what came of it, and what each person says of it."""

from ceremony.crossing.record import SignArguments, data_as
from ceremony.report.blocks import Block, Facts, Happened, Heading, Paragraph, Table
from ceremony.report.cover import numbers_of_trouble
from ceremony.report.happened import STATEMENTS, events_of
from ceremony.report.record import Answered, Intended, Record, Recovered, Resulted, SignedOff
from ceremony.report.rows import text_of
from ceremony.transcript import Line
from ceremony.words import grouped

NO_CREDENTIAL = "no credential backs it"


def troubles(record: Record) -> list[Block]:
    """Everything that was not as written, in one place."""
    numbers = numbers_of_trouble(record)
    events = events_of((line for line in record.lines if line.seq in numbers), record.opened_data)
    heading = Heading("Deviations and disturbances")
    if not events:
        return [heading, Paragraph("The record holds no deviation, no failed act, no refusal and no interruption by an error or a signal.")]
    return [heading, Paragraph("Each of these stands again in its place."), Happened(events)]


def orders(record: Record) -> list[Block]:
    """What was ordered, and what became of each signature asked of the token."""
    ordered = [(line, data_as(Answered, line)) for line in record.of_type("ordered")]
    blocks: list[Block] = [Heading("Orders and signatures")]
    if ordered:
        rows = tuple(
            (str(line.seq), f"{order.by}: {order.name} ({order.role})", order.value, grouped(order.digest) if order.digest else "none")
            for line, order in ordered
        )
        blocks.append(Table(("Line", "By", "Typed", "Of the digest"), rows, (1, 4, 5, 7), (0, 2, 3)))
    else:
        blocks.append(Paragraph("Nothing was ordered to be signed."))
    for line in record.of_type("intent"):
        intent = data_as(Intended, line)
        if intent.verb == "sign":
            asked = data_as(SignArguments, line, intent.args)
            blocks += [Heading(f"Signature, line {line.seq}: {asked.purpose}", 2), Facts(_signature(record, line, intent, asked))]
    return blocks


def _signature(record: Record, line: Line, intent: Intended, asked: SignArguments) -> tuple[tuple[str, str], ...]:
    return (
        ("Subject", asked.subject),
        ("Serial number", grouped(asked.serial)) if asked.serial else ("CRL number", str(asked.crl_number)),
        ("Signed with", f"{text_of(intent.args.get('key_label'))}, {asked.algorithm}"),
        ("To be signed, SHA-256", grouped(asked.sha256)),
        ("Outcome", "; ".join(_outcomes(record, line, intent.key)) or "NOT IN THE RECORD: a signature may exist"),
    )


def _outcomes(record: Record, asked: Line, key: str) -> list[str]:
    outcomes = []
    for line in record.lines[asked.seq :]:
        if line.step != asked.step or line.data.get("key") != key:
            continue
        if line.type == "recovered":
            outcomes.append(f"interrupted, {data_as(Recovered, line).how.replace('-', ' ')} (line {line.seq})")
        if line.type == "result":
            return [*outcomes, f"{_result(data_as(Resulted, line))} (line {line.seq})"]
    return outcomes


def _result(result: Resulted) -> str:
    if result.error:
        return f"failed, {result.error.code}"
    if isinstance(result.value, dict) and result.value.get("given_up"):
        return "given up: a signature may exist"
    return "signed"


def sign_offs(record: Record) -> list[Block]:
    """What each person said of the record, and the signature that stands behind it."""
    rows: list[tuple[str, ...]] = []
    signatures: list[tuple[str, str]] = []
    for line in record.of_type("signed-off"):
        signed = data_as(SignedOff, line)
        said = STATEMENTS.get(signed.statement, signed.statement) + (f": {signed.note}" if signed.note else "")
        backed = signed.credential if signed.signature and signed.credential else NO_CREDENTIAL
        rows.append((str(line.seq), signed.participant, f"{signed.name} ({signed.role})", said, backed))
        if signed.signature:
            signatures.append((f"line {line.seq}, {signed.name}", signed.signature))
    if not rows:
        return [Heading("Sign-offs"), Paragraph("Nobody signed off.")]
    table = Table(("Line", "Id", "Who", "Statement", "Credential"), tuple(rows), (2, 3, 4, 4, 10), (0, 1, 4))
    blocks: list[Block] = [Heading("Sign-offs"), table]
    return [*blocks, Heading("Signatures of the sign-offs", 2), Facts(tuple(signatures))] if signatures else blocks
