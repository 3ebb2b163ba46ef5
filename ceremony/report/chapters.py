"""The chapters of a report, each a list of blocks made from the record alone."""

from collections.abc import Collection, Mapping
from typing import Any

from ceremony.crossing.record import Artifact, SignArguments, data_as
from ceremony.pki.draft import decoded
from ceremony.report.blocks import Block, Box, Facts, Happened, Heading, Listing, Paragraph, StepTaken, Table
from ceremony.report.happened import SIGN_OFF_METHODS, STATEMENTS, events_of, listed
from ceremony.report.record import Answered, Intended, KeyMade, Record, Recovered, Resulted, SignedOff
from ceremony.transcript import Line
from ceremony.words import grouped, sha256_hex

_SHOWN_BESIDE = {"kind", "title", "say", "actor", "confirm"}
_SEALING = {"crossing", "close"}
_EVERY_STEP = ("Time (UTC)", "Initials", "Not done as written")
_FINGERPRINT = ("Fingerprint, whole:", "64 hex digits", "or 32 words", "")
_CERTIFICATES = {"root-certificate", "intermediate-certificate", "proof-certificate"}


def numbers_of_trouble(record: Record) -> set[int]:
    """The numbers of the lines that tell of something not as written."""
    return {event.seq for event in events_of(record.lines, record.opened_data) if event.trouble}


def troubles(record: Record) -> list[Block]:
    """Everything that was not as written, in one place."""
    numbers = numbers_of_trouble(record)
    events = events_of((line for line in record.lines if line.seq in numbers), record.opened_data)
    heading = Heading("Deviations and disturbances")
    if not events:
        return [heading, Paragraph("The record holds no deviation, no failed act, no refusal and no interruption by an error or a signal.")]
    return [heading, Paragraph("Each of these stands again among the steps or the sessions, in its place."), Happened(events)]


def participants(record: Record) -> list[Block]:
    """The people the script names."""
    rows = [(person.id, person.name, person.role, ", ".join(person.alternates) or "none") for person in record.script.participants]
    return [Heading("Participants"), Table(("Id", "Name", "Role", "May stand in"), tuple(rows), (2, 4, 3, 4), (0,))]


def people(record: Record) -> list[Block]:
    """The people the script names, and who acted in each one's place: by the roll-calls, else by who answered."""
    acted: dict[str, dict[str, None]] = {}
    for products in record.products():
        for id, acting in products.people.items():
            acted.setdefault(id, {})[acting.name] = None
    for line in record.of_type("confirmed", "ordered"):
        answer = data_as(Answered, line)
        acted.setdefault(answer.by, {answer.name: None})
    rows = []
    for person in record.script.participants:
        names = acted.pop(person.id, {})
        rows.append((person.id, person.role, person.name, _presence(person.name, [*names])))
    rows += [(id, "NOT IN THE SCRIPT", "", ", ".join(names)) for id, names in acted.items()]
    return [Heading("People"), Table(("Id", "Role", "Named in the script", "Acted"), tuple(rows), (2, 3, 4, 5), (0,))]


def _presence(named: str, acted: list[str]) -> str:
    if not acted:
        return "no act of theirs in the record"
    return ", ".join("in person" if name == named else f"{name} STOOD IN" for name in acted)


def physical_facts(record: Record) -> list[Block]:
    """What was read from bags, seals, safes and media, each typed by two people."""
    facts = {fact: None for products in record.products() for fact in products.physical}
    if not facts:
        return []
    rows = tuple((fact.name, fact.what, fact.text, fact.value) for fact in facts)
    return [Heading("Bags, seals, safes and media"), Table(("Name", "What", "Read from", "Value"), rows, (3, 2, 5, 5), (0, 3))]


def plan(record: Record) -> list[Block]:
    """What the script approves: the window, the root, the profiles, the names and the services."""
    script = record.script
    blocks: list[Block] = [Heading("What the script approves")]
    if script.window:
        blocks += [Heading("Days on which it may run", 2), Facts(_rows(script.window))]
    if script.root:
        blocks += [Heading("The root", 2), Facts(_rows(script.root))]
    for name, profile in script.profiles.items():
        blocks += [Heading(f"Profile {name}", 2), Facts(_rows(profile))]
    if script.intermediates:
        names = tuple(
            (wanted.name, wanted.profile, wanted.spki_sha256 or "as on the factory's paper form") for wanted in script.intermediates
        )
        blocks += [Heading("Names that may be certified", 2), Table(("Name", "Profile", "Key"), names, (2, 2, 5), (0, 1))]
    if script.proofs:
        services = tuple((proof.service, proof.certificate) for proof in script.proofs)
        blocks += [
            Heading("Services that may be given proof of possession", 2),
            Table(("Service", "Certificate"), services, (1, 1), (0, 1)),
        ]
    if script.activation:
        blocks += [Heading("How the token is unlocked", 2), Facts(_rows(script.activation))]
    if script.rest:
        blocks += [Heading("What else it says", 2), Facts(_rows(script.rest))]
    return blocks


def made(record: Record) -> list[Block]:
    """The public files, with their digests and serial numbers."""
    artifacts = record.artifacts
    if not artifacts:
        return [Heading("What was made"), Paragraph("No public file was made.")]
    blocks: list[Block] = [Heading("What was made")]
    for artifact in artifacts:
        blocks += [Heading(artifact.path, 2), Facts(_about(artifact))]
    return blocks


def _about(artifact: Artifact) -> tuple[tuple[str, str], ...]:
    rows: list[tuple[str, str]] = [("Kind", artifact.kind)]
    if artifact.subject:
        rows.append(("Subject", artifact.subject))
    if artifact.serial:
        rows.append(("Serial number", grouped(artifact.serial)))
    return (*rows, ("Size", f"{artifact.size} bytes"), ("SHA-256", grouped(artifact.sha256)))


def keys(record: Record) -> list[Block]:
    """Each key generated, its attributes as the module asserts them."""
    blocks: list[Block] = []
    for line, result in record.results("generate-key"):
        key = data_as(KeyMade, line, result.value)
        rows = [(name, *(_text(reading.get(part)) for part in ("value", "wanted", "verdict"))) for name, reading in key.attributes.items()]
        blocks += [
            Heading(f"{key.label} (line {line.seq})", 2),
            Facts(
                (
                    ("Id", key.key_id),
                    ("Public key, SHA-256", grouped(key.public_key_sha256)),
                    ("Mechanism", key.mechanism),
                    ("Token profile", key.profile),
                )
            ),
            Table(("Attribute", "Read back", "Wanted", "Verdict"), tuple(rows), (4, 4, 3, 3), (0, 1, 2)),
        ]
    if not blocks:
        return []
    asserted = Paragraph("The attributes are as asserted by the module: it was asked, and this is what it said. Nothing of it is attested.")
    return [Heading("Keys"), asserted, *blocks]


def orders(record: Record) -> list[Block]:
    """What was ordered, and what became of each signature asked of the token."""
    ordered = [data_as(Answered, line) for line in record.of_type("ordered")]
    blocks: list[Block] = [Heading("Orders and signatures")]
    if not ordered:
        blocks.append(Paragraph("Nothing was ordered to be signed."))
    for line, order in zip(record.of_type("ordered"), ordered, strict=True):
        rows = [("By", f"{order.by}: {order.name} ({order.role})"), ("Asked", order.text), ("Typed", order.value)]
        if order.digest:
            rows.append(("Digest", grouped(order.digest)))
        blocks += [Heading(f"Order, line {line.seq}", 2), Facts(tuple(rows))]
    for line in record.of_type("intent"):
        intent = data_as(Intended, line)
        if intent.verb == "sign":
            asked = data_as(SignArguments, line, intent.args)
            blocks += [Heading(f"Signature, line {line.seq}: {asked.purpose}", 2), Facts(_signature(record, line, intent, asked))]
    return blocks


def _signature(record: Record, line: Line, intent: Intended, asked: SignArguments) -> tuple[tuple[str, str], ...]:
    return (
        ("Subject", asked.subject),
        ("Serial number", grouped(asked.serial)),
        ("Signed with", f"{_text(intent.args.get('key_label'))}, {asked.algorithm}"),
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


def certificates_made(record: Record, certificates: Mapping[str, bytes]) -> list[Block]:
    """Every certificate, decoded from its own bytes."""
    accounted = {artifact.path for artifact in record.artifacts if artifact.kind in _CERTIFICATES}
    blocks: list[Block] = []
    for path in sorted(accounted | certificates.keys()):
        blocks.append(Heading(path, 2))
        if path not in accounted:
            blocks.append(Box("NOT IN THE RECORD", ("No line of the transcript accounts for this certificate.",)))
        if path in certificates:
            blocks += [
                Facts((("SHA-256 of the DER", grouped(sha256_hex(certificates[path]))),)),
                Listing(decoded(certificates[path])),
            ]
        else:
            blocks.append(Paragraph("The certificate itself was not at hand when this report was made."))
    return [Heading("Certificates"), *blocks] if blocks else []


def requests(record: Record) -> list[Block]:
    """What came in over the air gap."""
    blocks: list[Block] = []
    for line, result in record.results("import-request"):
        for request in result.value.get("requests", []) if isinstance(result.value, dict) else []:
            blocks += [Heading(f"{_text(request.get('folder'))} (line {line.seq})", 2), Facts(_rows(request, but=("csrs", "proofs")))]
            blocks += [Facts(_rows({"CSR": csr["name"], **csr}, but=("name",))) for csr in request.get("csrs", [])]
            blocks += [
                Facts(_rows({"proof of possession for": proof["service"], **proof}, but=("service",)))
                for proof in request.get("proofs", [])
            ]
    return [Heading("What came in"), *blocks] if blocks else []


def steps(record: Record) -> list[Block]:
    """Each step: what was written, and beside it what happened."""
    blocks: list[Block] = [Heading("The steps, as written and as they happened" if record.lines else "The steps")]
    for number, step in enumerate(record.script.steps, 1):
        confirmers = step.get("confirm", ())
        written = [("Kind", _text(step.get("kind"))), ("Who acts", _text(step.get("actor")))]
        if confirmers:
            written.append(("Who confirms", _text(confirmers)))
        written += _rows(step, but=_SHOWN_BESIDE)
        events = events_of((line for line in record.lines if line.step == number), record.opened_data)
        say = tuple(line.strip() for line in _text(step.get("say", "")).splitlines() if line.strip())
        blocks.append(
            StepTaken(
                f"Step {number}. {_text(step.get('title'))}", tuple(written), say, events, by_hand=() if record.lines else _by_hand(step)
            )
        )
    return blocks


def _by_hand(step: Mapping[str, Any]) -> tuple[str, ...]:
    return (*_EVERY_STEP, *_FINGERPRINT) if step.get("kind") in _SEALING else _EVERY_STEP


def sign_offs(record: Record) -> list[Block]:
    """What each person said of the record, and what stands behind it."""
    rows = []
    for line in record.of_type("signed-off"):
        signed = data_as(SignedOff, line)
        said = STATEMENTS.get(signed.statement, signed.statement) + (f": {signed.note}" if signed.note else "")
        who = f"{signed.name} ({signed.role})"
        rows.append((str(line.seq), signed.participant, who, said, SIGN_OFF_METHODS.get(signed.method, signed.method)))
    if not rows:
        return [Heading("Sign-offs"), Paragraph("Nobody signed off.")]
    return [Heading("Sign-offs"), Table(("Line", "Id", "Who", "Statement", "Backed by"), tuple(rows), (1, 2, 3, 4, 3), (0, 1))]


def sessions(record: Record) -> list[Block]:
    """Beginnings and ends, with machine, program, packages and module as they were, and whatever belongs to no step."""
    outside = events_of((line for line in record.lines if _outside_steps(record, line)), record.opened_data)
    ends = events_of(
        (line for line in record.of_type("paused", "aborted", "closed") if not _outside_steps(record, line)), record.opened_data
    )
    blocks: list[Block] = [Heading("Machine, program and sessions"), Happened(outside)]
    return [*blocks, Heading("Ends of sessions", 2), Happened(ends)] if ends else blocks


def _outside_steps(record: Record, line: Line) -> bool:
    return line.step is None or not 1 <= line.step <= len(record.script.steps)


def to_compare(record: Record) -> list[Block]:
    """Room for the hand: each participant says that the digest on the paper is the one on the screen."""
    what = "fingerprint of the ceremony" if record.lines else "digest of the script"
    rows = tuple((person.id, person.name, person.role, "", "") for person in record.script.participants)
    return [
        Heading("By hand"),
        Paragraph(f"Signed by whoever compared the {what} on page 1 with their own paper, digit for digit or word for word."),
        Table(("Id", "Name", "Role", "Date", "Signature"), rows, (2, 4, 3, 2, 5), (0,), by_hand=True),
    ]


def auditors_opinion(record: Record) -> list[Block]:
    """Room for the opinion of a qualified auditor, where the script says that the key generation is witnessed so."""
    if record.script.evidence not in ("video", "qualified-auditor"):
        return []
    rows = tuple((label, "") for label in ("Opinion", "", "", "Name and qualification", "Date", "Signature"))
    return [Heading("The qualified auditor's opinion"), Table(("", ""), rows, (2, 7), by_hand=True)]


def _rows(table: Mapping[str, Any], but: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    named = (line.partition(": ") for line in listed({key: value for key, value in table.items() if key not in but}))
    return tuple((name, value) for name, _, value in named)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "; ".join(listed(value)) if value is not None else "none"
