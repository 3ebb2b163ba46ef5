"""What the ceremony left: files, certificates, keys, requests, and the things and places written down."""

from collections.abc import Mapping

from ceremony.crossing.artifacts import read_crl_file
from ceremony.crossing.record import Artifact, data_as
from ceremony.errors import CeremonyError
from ceremony.pki.crl import decoded_crl
from ceremony.pki.draft import decoded
from ceremony.report.blocks import Block, Box, Facts, Heading, Listing, Paragraph, Table, digest_block
from ceremony.report.record import KeyMade, Record
from ceremony.report.rows import rows, text_of
from ceremony.words import grouped, sha256_hex

_CERTIFICATES = {"root-certificate", "intermediate-certificate", "proof-certificate"}


def physical_facts(record: Record) -> list[Block]:
    """What was read from bags, seals, safes and media, and what was counted, each typed by two people."""
    told: dict[tuple[str, ...], int] = {}
    counts: dict[str, tuple[int, int | None]] = {}
    for line in record.of_type("step-finished"):
        products = record.products_of(line)
        for fact in products.physical:
            told.setdefault((fact.name, fact.what, fact.text, fact.value, fact.custody), line.step or 0)
        counts |= {name: (number, None) for name, number in products.counted_in.items()}
        counts |= {name: (counts.get(name, (0, None))[0], number) for name, number in products.counted_out.items()}
    blocks: list[Block] = []
    if told:
        listed = tuple((*fact[:4], fact[4] or "", str(step)) for fact, step in told.items())
        columns = ("Name", "What", "Read from", "Value", "Custody", "Step")
        blocks.append(Table(columns, listed, (3, 2, 5, 5, 2, 1), (0, 3)))
    if counts:
        rows = tuple((name, str(before), "not counted out" if after is None else str(after)) for name, (before, after) in counts.items())
        blocks += [Heading("Inventory", 2), Table(("Item", "Counted in", "Counted out"), rows, (3, 1, 1), (0,))]
    if not blocks:
        return []
    typed = "Each was typed by two people from the thing itself, the second without seeing what the first had typed."
    return [Heading("Bags, seals, safes and media"), Paragraph(typed), *blocks]


def made(record: Record) -> list[Block]:
    """The public files, with their digests and serial numbers."""
    if not record.artifacts:
        return [Heading("What was made"), Paragraph("No public file was made.")]
    blocks: list[Block] = [Heading("What was made")]
    for artifact in record.artifacts:
        blocks += [Heading(artifact.path, 2), Facts(_about(artifact))]
    return blocks


def _about(artifact: Artifact) -> tuple[tuple[str, str], ...]:
    about: list[tuple[str, str]] = [("Kind", artifact.kind)]
    if artifact.subject:
        about.append(("Subject", artifact.subject))
    if artifact.serial:
        about.append(("Serial number", grouped(artifact.serial)))
    return (*about, ("Size", f"{artifact.size} bytes"), ("SHA-256", grouped(artifact.sha256)))


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
                digest_block("SHA-256 of the DER", sha256_hex(certificates[path])),
                Listing(decoded(certificates[path])),
            ]
        else:
            blocks.append(Paragraph("The certificate itself was not at hand when this report was made."))
    return [Heading("Certificates"), *blocks] if blocks else []


def crls(record: Record) -> list[Block]:
    """Each CRL that was made or carried over, decoded from its own bytes."""
    blocks: list[Block] = []
    for line in record.of_type("intent"):
        args = line.data.get("args")
        if isinstance(args, dict) and args.get("kind") == "crl":
            try:
                told = decoded_crl(read_crl_file(text_of(args.get("pem")).encode()).der)
            except CeremonyError as broken:
                told = (broken.what,)
            blocks += [Heading(f"{text_of(args.get('path'))} (line {line.seq})", 2), Listing(told)]
    return [Heading("Revocation lists (CRLs)"), *blocks] if blocks else []


def keys(record: Record) -> list[Block]:
    """Each key generated, its attributes as the module asserts them."""
    blocks: list[Block] = []
    for line, result in record.results("generate-key"):
        key = data_as(KeyMade, line, result.value)
        attributes = [
            (name, *(text_of(_said(reading.get(part))) for part in ("value", "wanted", "verdict")))
            for name, reading in key.attributes.items()
        ]
        blocks += [
            Heading(f"{key.label} (line {line.seq})", 2),
            Facts(
                (
                    ("Id", key.key_id),
                    ("Algorithm and size", key.key or "not told"),
                    ("Public key, SHA-256", grouped(key.public_key_sha256)),
                    ("Mechanism", key.mechanism),
                    ("Token profile", key.profile),
                )
            ),
            Table(("Attribute", "As asserted by the module", "Wanted", "Verdict"), tuple(attributes), (4, 4, 4, 3), (0, 1, 2)),
        ]
    if not blocks:
        return []
    asserted = Paragraph(
        "The attributes are as asserted by the module: it was asked, and this is what it said. "
        f"{_attested(record)} What the token cannot say is named by its profile and stands as unknown."
    )
    return [Heading("Key inventory"), asserted, *blocks]


def _attested(record: Record) -> str:
    """Whether a vendor's chain of certificates says that the root's key was made on its device."""
    told = next((products.root_attested for products in record.products() if products.root_attested), None)
    if told is None:
        return "Nothing of it is attested."
    device = f", serial {text_of(told.get('serial'))}" if told.get("serial") else ""
    made_up = " A rehearsal made that chain up." if told.get("made_up") else ""
    return (
        f"That the root key was made on a device of its vendor{device} is ATTESTED, by a chain of certificates up to "
        f"{text_of(told.get('root_subject'))} (SHA-256 {grouped(text_of(told.get('root_sha256')))}).{made_up}"
    )


def _said(value: object) -> object:
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


def requests(record: Record) -> list[Block]:
    """What came in over the air gap."""
    blocks: list[Block] = []
    for line, result in record.results("import-request"):
        for request in result.value.get("requests", []) if isinstance(result.value, dict) else []:
            blocks += [Heading(f"{text_of(request.get('folder'))} (line {line.seq})", 2), Facts(rows(request, but=("csrs", "proofs")))]
            blocks += [Facts(rows({"CSR": csr["name"], **csr}, but=("name",))) for csr in request.get("csrs", [])]
            blocks += [
                Facts(rows({"proof of possession for": proof["service"], **proof}, but=("service",))) for proof in request.get("proofs", [])
            ]
    return [Heading("What came in"), *blocks] if blocks else []


def fingerprints(record: Record) -> list[Block]:
    """Every digest that people compare, as hex and as words."""
    blocks: list[Block] = [Heading("Fingerprints"), digest_block("Ceremony script", record.script_sha256)]
    for line in record.of_type("sealed"):
        blocks.append(digest_block(f"Seal of bundle {text_of(line.data.get('bundle'))} (line {line.seq})", line.sha256))
    announced = record.announced
    if announced and announced.type == "paused":
        blocks.append(digest_block(f"Pause (line {announced.seq})", announced.sha256))
    if record.root_certificate_sha256:
        blocks.append(digest_block("Root certificate, DER", record.root_certificate_sha256))
    for line, result in record.results("generate-key"):
        key = data_as(KeyMade, line, result.value)
        blocks.append(digest_block(f"Public key {key.label}, DER SPKI (line {line.seq})", key.public_key_sha256))
    return blocks
