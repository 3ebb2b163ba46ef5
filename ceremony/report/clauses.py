"""The clauses of public rules that a root key ceremony is held against: what each asks, what the tool does, what shows it, what is missing.

Own words throughout; the rules themselves are the source. BR is the CA/Browser Forum's TLS Baseline Requirements 2.2.6, CSBR its Code
Signing Baseline Requirements, NSR its Network and Certificate System Security Requirements 2.0.5, ETSI is EN 319 411-1 V1.5.1, WT the
WebTrust criteria for CAs, known here at second hand. docs/compliance.md is made from this table.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ceremony.activation.arrangement import PIN_NAMES, WHICH
from ceremony.report.lines_of import answers_in, compared_with_paper, everything, intents, line_one, outcomes, physical, steps_of, typed
from ceremony.report.record import Record

_WITNESSING = ("witness", "auditor")
_SIGNED_BY_NAME = "A sign-off without a credential is a statement that the program took down, not one that the person signed."


class Clause(NamedTuple):
    """One clause. `lines` finds the numbers of the record's lines that show it; `gap` says what stays open, "" for nothing.

    `gap_here` is for what depends on the ceremony; None in a table without one.
    """

    clause: str
    asks: str
    does: str
    lines: Callable[[Record], Iterable[int]]
    gap: str = ""
    gap_here: Callable[[Record], str] | None = None


def _held_by_one(record: Record) -> str:
    activation = record.script.activation
    alone = [PIN_NAMES[which] for which in WHICH if activation and activation.held(which).kind != "shared-pin"]
    if not alone:
        return ""
    held = f"the {' and the '.join(alone)} {'is' if len(alone) == 1 else 'are'} in one person's hand"
    return f"Here {held}; a second person is asked for by the program, not by the token."


def _evidence_here(record: Record) -> str:
    return {
        "witness": "Here the key generation is seen by witnesses: neither a qualified auditor nor a video is asked for.",
        "video": "Where the video is kept, and that it is whole, is outside the tool.",
    }.get(record.script.evidence, "")


def _software_here(record: Record) -> str:
    module = record.opened.module if record.opened else None
    return "Here the module is software: no certified device protects the key." if module and module.get("software") else ""


def _backup_here(record: Record) -> str:
    backup = record.script.backup
    return f"Here there is no backup; {backup.owner or 'nobody'} owns that risk." if backup and backup.kind == "none" else ""


def _unsigned_here(record: Record) -> str:
    unsigned = sum(not line.data.get("signature") for line in record.of_type("signed-off"))
    return f"Here {unsigned} sign-offs have no signature. {_SIGNED_BY_NAME}" if unsigned else ""


def _proofs_here(record: Record) -> str:
    proofs = sum(artifact.kind == "proof-certificate" for artifact in record.artifacts)
    return f"Here the root signed {proofs} of them." if proofs else ""


CLAUSES: tuple[Clause, ...] = (
    Clause(
        "BR 5.2.2, ETSI GEN-6.4.3-02, GEN-6.5.1-04, NSR 2.2.4",
        "At least two people in trusted roles whenever the root key is made, backed up or used.",
        "Splits PIN and SO PIN into shares, each with a threshold, so that no smaller group reaches the key; wants an order by one and a "
        "confirmation by another for each use.",
        lambda record: [*intents(record, "login", "prove-activation", "change-activation"), *typed(record, "ordered")],
        "A PIN that is not shared, or typed at a pad of the device, is known to the tool by its use alone.",
        _held_by_one,
    ),
    Clause(
        "BR 6.1.1.1 (1), ETSI GEN-6.5.1-11, WT 4.1",
        "A key generation script is prepared, and followed.",
        "Runs nothing but a script that two people approved by its digest, which stands in line 1; takes its steps in order and records "
        "what was not as written.",
        everything,
    ),
    Clause(
        "ETSI GEN-6.5.1-12",
        "The script names roles, who does what in which phase, duties afterwards, and the evidence to be collected.",
        "Refuses a script without them: participants and roles, an actor and confirmers for each step, what is recorded, sign-offs.",
        lambda record: [*line_one(record), *steps_of(record, "roll-call")],
        "Duties after the ceremony are what the script says aloud; the tool does not follow them up.",
    ),
    Clause(
        "BR 6.1.1.1 (2), ETSI GEN-6.5.1-14",
        "A qualified auditor witnesses the key generation, or it is filmed from beginning to end; a root's report is signed by an "
        "independent witness.",
        "Holds the script to what `evidence` says: a witness or an auditor who confirms the generation, or a camera's start and stop "
        "around it; `verify` looks again.",
        lambda record: [*answers_in(record, "generate-root", _WITNESSING), *physical(record, "video")],
        "Whether a person is qualified and independent, the tool cannot know.",
        _evidence_here,
    ),
    Clause(
        "BR 6.1.1.1 (3)",
        "The auditor's opinion that the CA followed its script and kept the key pair whole and confidential.",
        'Leaves a page for it in script and report (`evidence` "qualified-auditor" or "video"), and this report to form it from.',
        lambda record: [number for number in typed(record, "signed-off") if record.lines[number - 1].data.get("role") == "auditor"],
        "The opinion itself is on paper, outside the record.",
    ),
    Clause(
        "BR 6.1.1.1, 5.1",
        "The key is made in a physically secured place.",
        "Records bags, seals, safes and media, each typed by two people.",
        lambda record: physical(record, ""),
        "Walls, locks and cameras are outside the tool.",
    ),
    Clause(
        "BR 6.2.1, 6.2.7",
        "The key is made and kept in a device certified to FIPS 140 level 3 or to Common Criteria EAL 4.",
        "Generates the key on the token, never brings one in, reads back every attribute, and records module and token with their own "
        "statements; refuses modules known to be software outside rehearsals.",
        lambda record: [*line_one(record), *outcomes(record, "generate-key"), *outcomes(record, "import-attestation")],
        "Certificate numbers of the device are neither asked for nor checked; what the module asserts is attested only where the script "
        "names the root of the vendor's attestations.",
        _software_here,
    ),
    Clause(
        "BR 6.2.4, 5.2.2",
        "A backup of the root key, if there is one, is made and kept under the control of several people.",
        "Wants the script to say how the key is backed up, and with which vendor's tool by whom; never wraps or exports it itself; "
        "compares the copy with the original and has it sign the CRL, under the orders of two.",
        lambda record: [*line_one(record), *outcomes(record, "take-token"), *outcomes(record, "look-at-copy")],
        "How the vendor's tool copies, and who takes part in that, is told by people and not seen by the tool.",
        _backup_here,
    ),
    Clause(
        "BR 6.1.5, 6.1.6",
        "Keys of sufficient size and sound parameters.",
        "Makes P-256, P-384, P-521 or RSA from 3072 alone.",
        lambda record: outcomes(record, "generate-key"),
    ),
    Clause(
        "BR 6.1.1.3, 4.2",
        "No certificate for a weak or compromised key, nor for one whose holder does not prove it.",
        "Verifies each request's own signature, refuses weak keys (small, small factors, ROCA, Fermat), the root's own key and keys "
        "already certified, but to issue that very certificate anew; two people vouch for each key's digest from paper.",
        lambda record: [*outcomes(record, "import-request"), *answers_in(record, "import-request", ())],
        "Lists of known weak keys (the Debian generator's, leaked ones) are not looked at.",
    ),
    Clause(
        "BR 6.1.7",
        "A root key signs certificates of roots, subordinates and cross-certificates, its infrastructure, and revocation.",
        "Signs certificates of the script's profiles alone, never a test or a free text; records each signature before it is made.",
        lambda record: intents(record, "sign"),
        "A proof-of-possession certificate is signed by the root itself. A root that the public trusts could do that only as "
        "infrastructure.",
        _proofs_here,
    ),
    Clause(
        "BR 4.3.1.1",
        "An individual deliberately orders each signature of the root.",
        "Wants the first words of the digest of what was shown typed by one person and the next by another, for each signature or "
        "reviewed batch.",
        lambda record: typed(record, "ordered"),
    ),
    Clause(
        "BR 4.3.1.2",
        "What is to be signed is linted before it is signed.",
        "Stores the very bytes, checks them against the profile, shows them decoded with every difference, and signs those bytes and no "
        "others.",
        lambda record: intents(record, "store"),
        "The linter is the profile's own; the public linters are not run in the room.",
    ),
    Clause(
        "BR 4.3.1.3",
        "What was signed is looked at again.",
        "Verifies each signature in software, parses and checks the certificate anew, and writes it only then.",
        lambda record: [*outcomes(record, "sign"), *outcomes(record, "write-artifact")],
    ),
    Clause(
        "BR 7.1.2.1",
        "The root certificate's profile: version 3, issuer as subject, serial of 64 random bits or more, its extensions, its days.",
        "Builds it from the script, with a serial of 158 random bits from two generators, and refuses a difference.",
        lambda record: [*outcomes(record, "serial-number"), *outcomes(record, "write-artifact")],
        "The life of a root is what its owner's script says; the public rules allow 2,922 to 9,132 days.",
    ),
    Clause(
        "BR 4.9.7",
        "Revocation lists, from the first day on.",
        "Signs one like a certificate: whole, numbered, dated, with every revocation carried on, shown, ordered, linted; each later bundle "
        "holds the newest.",
        lambda record: steps_of(record, "issue-crl"),
        "A first one leaves with the first ceremony only where its script says so, and no certificate names a place to fetch it from.",
    ),
    Clause(
        "BR 5.4.1, ETSI GEN-6.5.1-13A",
        "Every event of the key's life with time, people and description; device, settings and algorithm in the report.",
        "Writes each question, answer, act and outcome to a chain of lines before it is announced.",
        everything,
    ),
    Clause(
        "ETSI GEN-6.5.1-13, -14, WT 4.1",
        "A report that proves the procedure was followed, with the key inventory, signed by those responsible and by an independent "
        "witness.",
        "Makes this report from the record, and has everybody present sign off with a credential of their own before each export and at "
        "the close: as written, with deviations, or refused.",
        lambda record: [*typed(record, "signed-off"), *typed(record, "sealed")],
        "",
        _unsigned_here,
    ),
    Clause(
        "BR 5.4.3",
        "The record is kept for two years after the last certificate ended or the key is gone.",
        "Makes record and report so that nothing else is needed to check them: openssl, sha256sum and the report's last page.",
        lambda record: typed(record, "sealed"),
        "Keeping them is outside the tool.",
    ),
    Clause(
        "ETSI DIS-6.5.1-16",
        "The root's public key reaches those who rely on it unchanged.",
        "Prints the fingerprint in hex and words; two people compare it with their own paper; the online side wants it typed from paper.",
        lambda record: [*typed(record, "sealed"), *compared_with_paper(record)],
    ),
    Clause(
        "NSR 1.2.1, 1.2.2",
        "The root's system is apart from every network.",
        "Looks for routes, live interfaces, radios, swap, automounting and new input devices at the start, after each crossing and "
        "before each use of the root; a finding needs two people to override it.",
        lambda record: outcomes(record, "check-machine"),
        "It sees what the kernel shows; a machine that lies about itself, it cannot see through.",
    ),
    Clause(
        "NSR 2.1, ETSI GEN-6.4.3",
        "Roles are separate and filled by named people.",
        "Refuses one person in two roles, and a name that looks like another's; calls the roll in each session.",
        lambda record: steps_of(record, "roll-call"),
    ),
    Clause(
        "NSR 2.2.1.1, 2.2.3, 2.2.4",
        "Everybody acts with a credential of their own; several people prove themselves for what one may not do alone.",
        "Sign-offs, overrides, and the confirmations of what makes or uses the root or changes its activation are signed with the "
        "credential that the script names for that person.",
        lambda record: [*outcomes(record, "sign-statement"), *typed(record, "signed-off")],
        "Other answers are a person's by name alone: the people in the room see who types.",
        _unsigned_here,
    ),
    Clause(
        "NSR 2.2.2",
        "An idle console locks itself.",
        "The app locks its screen after five idle minutes; the token is logged out after ten.",
        lambda record: (),
        "The record does not tell it, and line mode has no lock.",
    ),
    Clause(
        "CSBR 6.3.2, WT 4.6, BR 5.4.1",
        "A key is destroyed by two people in trusted roles, for a reason, and an inventory confirms it.",
        "Refuses it while the key is needed; two people order it over the key's digest, one types why; lists the token before and after.",
        lambda record: [
            *intents(record, "destroy-key", "wipe-token"),
            *outcomes(record, "destroy-key"),
            *outcomes(record, "list-objects"),
            *outcomes(record, "wipe-token"),
        ],
        "Copies that a vendor's tool made are destroyed by that tool, or in a ceremony of their own.",
    ),
)
