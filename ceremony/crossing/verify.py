"""Verifies a bundle: anyone, offline, without a token. Script and transcript are read as data; nothing is believed unchecked.

Every check has a name and is told, passed or not. A bundle that is whole in itself proves nothing about who made it:
that takes an anchor from outside, best the fingerprint that the people in the room wrote on paper.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ceremony.activation.roster import words_of_credential
from ceremony.crossing import checks_of_certificates as certificates
from ceremony.crossing import checks_of_custody as custody
from ceremony.crossing import checks_of_evidence as evidence
from ceremony.crossing import checks_of_media as media
from ceremony.crossing import checks_of_record as record
from ceremony.crossing import checks_of_statements as statements
from ceremony.crossing.bundle import CAPS, LEDGER, MANIFEST, REPORTS, SCRIPT, TRANSCRIPT, manifest_bytes, manifest_of
from ceremony.crossing.chain import breaks_between, place_in_chain
from ceremony.crossing.checks_of_activation import problems_with_activation
from ceremony.crossing.checks_of_attachments import problems_with_attachments
from ceremony.crossing.checks_of_attestation import problems_with_attestation
from ceremony.crossing.checks_of_backup import problems_with_backup
from ceremony.crossing.checks_of_crl import problems_with_the_crl
from ceremony.crossing.checks_of_cross import problems_with_cross_certificates
from ceremony.crossing.checks_of_keys import problems_with_keys
from ceremony.crossing.files import SUMS, problems_with_sums, read_tree
from ceremony.crossing.ledger import ledger_of, read_ledger, without_last
from ceremony.crossing.lost import holes, problems_with_lost_ledger
from ceremony.crossing.private_keys import private_keys_in
from ceremony.crossing.subject import Subject, read_subject
from ceremony.errors import CeremonyError, ExitCode
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

Render = Callable[[Path], Mapping[str, bytes]]
"""Makes the reports of a bundle again from its record: bundle's folder → bytes by path (bundle.REPORTS)."""

_MOST_TOLD = 5


class Check(msgspec.Struct, frozen=True):
    """One check: its name, whether it passed, and what there is to say. `detail` may be shown."""

    name: str
    passed: bool
    detail: str


class Verdict(msgspec.Struct, frozen=True):
    """What was found. All texts may be shown; the digests are SHA-256 in hex, None where the record can't be read.

    `anchored` says that a fingerprint, script digest or root fingerprint from outside was given and is the bundle's.
    """

    checks: tuple[Check, ...]
    anchored: bool
    ceremony: str | None = None
    bundle: int | None = None
    rehearsal: bool | None = None
    fingerprint: str | None = None
    script_sha256: str | None = None
    root_fingerprint: str | None = None
    deviations: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """0 anchored and good, 8 consistent but unanchored, 1 when a check failed."""
        if not all(check.passed for check in self.checks):
            return ExitCode.CHECK_FAILED
        return ExitCode.DONE if self.anchored else ExitCode.UNANCHORED

    @property
    def word(self) -> str:
        """The verdict in a word: GOOD, UNANCHORED or FAILED."""
        return {ExitCode.DONE: "GOOD", ExitCode.UNANCHORED: "UNANCHORED"}.get(self.exit_code, "FAILED")


def verify_bundle(
    bundle: Path,
    *,
    fingerprint: str | None = None,
    script_digest: str | None = None,
    root_fingerprint: str | None = None,
    previous: Path | None = None,
    no_deviations: bool = False,
    render: Render | None = None,
    program: Mapping[str, Any] | None = None,
) -> Verdict:
    """Checks the bundle and, when given, compares it with anchors (SHA-256, 64 lower-case hex digits) and an earlier bundle.

    `previous` is an earlier bundle of this ceremony or the last of the ceremony before. `no_deviations` makes every
    deviation a failure. Without `render` the reports are held to their digests alone. `program` is this program as a first line
    would describe it: where another one made the reports, they may differ from what this one renders, and the check says so.
    Raises CeremonyError BUNDLE-MISSING.
    """
    try:
        tree = read_tree(bundle, CAPS)
    except OSError as failed:
        raise CeremonyError("BUNDLE-MISSING", f"{shown_text(str(bundle))} can't be opened: {failed.strerror}.") from failed
    checks = _checks_of_files(tree.files, tree.problems)
    try:
        subject = read_subject(tree.files)
    except CeremonyError as broken:
        unread = Check("record", False, f"{broken.what} All other checks need the record; they were not made.")
        return Verdict((*checks, unread), anchored=False)
    checks += [_run(name, problems, subject, _passed(name, passed, subject)) for name, problems, passed in _CHECKS]
    checks.append(_report(subject, bundle, render, program))
    checks.append(_run("image", record.problems_with_image, subject, "; ".join(_texts(lambda: [record.image_in_words(subject)]))))
    signed_by, unusual = _texts(lambda: _signed_by(subject)), _texts(lambda: _unusual(subject))
    checks.append(_run("sign-offs", statements.problems_with_sign_offs, subject, "; ".join(signed_by)))
    checks.append(_run("deviations", record.problems_with_deviations, subject, "; ".join(unusual) or "none"))
    checks.append(_run("lost-ledgers", problems_with_lost_ledger, subject, "; ".join(_texts(lambda: holes(subject))) or "none"))
    if no_deviations:
        checks.append(_check("no-deviations", unusual, "all as written"))
    if previous is not None:
        passed = "this bundle goes on from the one given"
        checks.append(_run("previous", lambda subject: _problems_with_previous(subject, previous), subject, passed))
    anchors = [
        ("fingerprint", fingerprint, subject.record.fingerprint),
        ("script-digest", script_digest, sha256_hex(tree.files[SCRIPT])),
        ("root-fingerprint", root_fingerprint, subject.root_fingerprint),
    ]
    given = [(name, wanted, found) for name, wanted, found in anchors if wanted is not None]
    for name, wanted, found in given:
        checks.append(_check(name, [] if wanted == found else [f"given is {wanted}, found is {found}"], f"as given: {found}"))
    return Verdict(
        checks=tuple(checks),
        anchored=any(wanted == found for _, wanted, found in given),
        ceremony=shown_text(subject.record.opened.ceremony),
        bundle=subject.record.sealed.bundle,
        rehearsal=subject.record.opened.rehearsal,
        fingerprint=subject.record.fingerprint,
        script_sha256=sha256_hex(tree.files[SCRIPT]),
        root_fingerprint=subject.root_fingerprint,
        deviations=unusual,
        signed_by=signed_by,
    )


def _check(name: str, problems: Iterable[str], passed: str) -> Check:
    found = list(problems)
    told = "; ".join(found[:_MOST_TOLD]) + f"; and {len(found) - _MOST_TOLD} more" * (len(found) > _MOST_TOLD)
    return Check(name, not found, shown_text(told or passed))


def _run(name: str, problems: Callable[[Subject], Iterable[str]], subject: Subject, passed: str) -> Check:
    """Runs one check. What can't be read is a problem of that check, and does not keep the others from being made."""
    try:
        return _check(name, problems(subject), passed)
    except CeremonyError as broken:
        return _check(name, [broken.what], "")


def _passed(name: str, passed: str, subject: Subject) -> str:
    """What a check says that passed: of what is not in the bundle at all it claims nothing."""
    kinds, verbs = _ABOUT.get(name, ((), ()))
    if not (kinds or verbs) or any(artifact.kind in kinds for artifact in subject.record.sealed.artifacts):
        return passed
    return passed if any(line.data.get("verb") in verbs for line in subject.record.of_type("result")) else _NONE_HERE


def _texts(told: Callable[[], list[str]]) -> tuple[str, ...]:
    try:
        return tuple(map(shown_text, told()))
    except CeremonyError as broken:
        return (shown_text(broken.what),)


def _signed_by(subject: Subject) -> list[str]:
    told = []
    for _, said in statements.sign_offs(subject):
        words = " ".join(words_of_credential(said.credential)[:4])
        told.append(f"{said.name} ({said.role}): {said.statement}, signed with the credential {words} ...")
    return told


def _unusual(subject: Subject) -> list[str]:
    told = [f"{deviation.kind}: {deviation.text}" for deviation in record.deviations(subject)]
    return [*told, *statements.unusual_sign_offs(subject)]


def _checks_of_files(files: Mapping[str, bytes], found: list[str]) -> list[Check]:
    keys = [f"{path} holds {kind}" for path, kind in private_keys_in(files).items()]
    return [
        _check("folder", found, f"{len(files)} plain files, no links"),
        _check("sums", problems_with_sums(files), "SHA256SUMS names every other file and its digest"),
        _check("private-keys", map(shown_text, keys), "none found"),
    ]


def _problems_with_listing(subject: Subject) -> Iterable[str]:
    expected = {SUMS, MANIFEST, SCRIPT, TRANSCRIPT, LEDGER, *REPORTS, *(artifact.path for artifact in subject.record.sealed.artifacts)}
    yield from (f"{path} does not belong here" for path in sorted(subject.files.keys() - expected))
    yield from (f"{path} is missing" for path in sorted(expected - subject.files.keys()))


def _problems_with_manifest(subject: Subject) -> Iterable[str]:
    if missing := {MANIFEST, SCRIPT, TRANSCRIPT, LEDGER, *REPORTS} - subject.files.keys():
        yield f"it can't be made again without {', '.join(sorted(missing))}"
    elif subject.files[MANIFEST] != manifest_bytes(manifest_of(subject.record, subject.files)):
        yield f"{MANIFEST} is not the one that the record makes"


def _problems_with_ledger(subject: Subject) -> Iterable[str]:
    """It is what the record makes of the ledger before; no serial is used twice; no rehearsal stands behind a production."""
    stored = subject.files.get(LEDGER)
    if stored is None:
        yield f"{LEDGER} is missing"
        return
    if stored != ledger_of(subject.record.lines, without_last(stored)):
        yield f"{LEDGER} is not the one that the record makes"
    ledger = read_ledger(stored)
    serials = Counter(entry.serial for ceremony in ledger.ceremonies for entry in ceremony.entries)
    yield from (f"serial {serial} stands in it {times} times" for serial, times in serials.items() if times > 1)
    if not subject.record.opened.rehearsal and any(ceremony.rehearsal for ceremony in ledger.ceremonies):
        yield "a rehearsal stands in the ledger of a production"


def _report(subject: Subject, bundle: Path, render: Render | None, program: Mapping[str, Any] | None) -> Check:
    """The reports are what the record renders to. A later template or typesetter sets another page: then nothing is compared."""
    if render is None:
        return _check("report", (), "not rendered again here")
    try:
        rendered = render(bundle)
    except CeremonyError as broken:
        return _check("report", [broken.what], "")
    made_by = next((line.data.get("tool") for line in reversed(subject.record.lines) if line.type in ("opened", "resumed")), None)
    different = [path for path in REPORTS if rendered.get(path) != subject.files.get(path)]
    if different and program is not None and _renderer(made_by) != _renderer(program):
        here, there = (" ".join(map(str, _renderer(described))) for described in (program, made_by))
        told = f"NOT COMPARED: made by another version ({there}; here is {here}). Make it anew from the record: `ceremony report`"
        return _check("report", (), told)
    problems = [f"{path} is not what the record renders to" for path in different]
    return _check("report", problems, "rendered again and the same; a rendering, not evidence")


def _renderer(described: object) -> tuple[str, str, str]:
    """What a report's bytes hang on: the program's version, the digest of its code, and the typesetter's version."""
    told = described if isinstance(described, Mapping) else {}
    packages = told.get("packages")
    typst = packages.get("typst") if isinstance(packages, Mapping) else None
    version = typst.get("version") if isinstance(typst, Mapping) else None
    return str(told.get("version")), f"code {told.get('sha256')}", f"typst {version}"


def _problems_with_previous(subject: Subject, previous: Path) -> Iterable[str]:
    verdict = verify_bundle(previous)
    if failed := [check for check in verdict.checks if not check.passed]:
        yield from (f"the previous bundle itself: {check.name}: {check.detail}" for check in failed)
        return
    earlier = read_subject(read_tree(previous, CAPS).files)
    if earlier.record.fingerprint != verdict.fingerprint:
        yield "the previous bundle changed while it was read"
        return
    for found in breaks_between(place_in_chain(earlier), place_in_chain(subject)):
        yield f"{found.kind}: {found.text}"


_NONE_HERE = "nothing of the kind in this bundle"

_ABOUT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "intermediates": (("intermediate-certificate",), ()),
    "proofs": (("proof-certificate",), ()),
    "cross-certificates": (("cross-certificate",), ()),
    "crl": (("crl",), ()),
    "evidence": ((), ("generate-key",)),
    "backup": ((), ("look-at-copy",)),
    "attachments": ((), ("import-evidence",)),
    "attestation": ((), ("import-attestation",)),
}
"""Checks of what not every bundle holds: by the kinds of artifacts and the verbs of acts that they are about."""

_CHECKS: tuple[tuple[str, Callable[[Subject], Iterable[str]], str], ...] = (
    ("files", _problems_with_listing, "exactly those that the seal and the format name"),
    ("manifest", _problems_with_manifest, "made again from the record, the same"),
    ("script", record.problems_with_script, "the one whose digest stands in the first line"),
    ("transcript-chain", record.problems_with_chain, "each line holds the digest of the line before"),
    ("seal", record.problems_with_seal, "the last line seals this bundle and names the seal before"),
    ("steps", record.problems_with_steps, "all steps of the script up to the seal, in its order"),
    ("intents", record.problems_with_intents, "each result follows its intent"),
    ("people", record.problems_with_people, "each answer is from a participant who was called"),
    ("resumptions", record.problems_with_resumptions, "each session went on from a fingerprint on paper"),
    ("window", record.problems_with_window, "held on days that the script allows"),
    ("orders", record.problems_with_orders, "each signature was ordered by two people over its digest"),
    ("activation", problems_with_activation, "the PINs are held and were opened as the script says, and every share was proved"),
    ("confirmations", statements.problems_with_confirmations, "signed by the confirmers with credentials of their own"),
    ("machine-checks", record.problems_with_machine_checks, "made before each signature"),
    ("custody", custody.problems_with_custody, "typed by two, as put away last, and in balance"),
    ("evidence", evidence.problems_with_evidence, "the key generation was witnessed as the script says"),
    ("media", media.problems_with_media, "out on a fresh one of known serial, in from one that was read-only; a rehearsal says so"),
    ("vouching", certificates.problems_with_vouching, "each CSR's key was vouched for from paper or pinned by the script"),
    ("artifacts-accounted", certificates.problems_with_artifacts, "lines, signatures and files are the same, one to one"),
    ("root-certificate", certificates.problems_with_root, "self-signed, by the script's profile"),
    ("intermediates", certificates.problems_with_intermediates, "signed by the root, by the script's profile, on the CSR's key"),
    ("proofs", certificates.problems_with_proofs, "signed by the root itself, on the code that came in"),
    (
        "cross-certificates",
        problems_with_cross_certificates,
        "of each root's key by the other, as the script's roll-over says, and none lost; no intermediate is forgotten",
    ),
    ("crl", problems_with_the_crl, "its number goes up, no entry is lost, and each new one is the script's or a signature given up"),
    (
        "keys",
        problems_with_keys,
        "looked at, the root key was as made; destroyed only by two, and when nothing needed it or its end was approved",
    ),
    ("backup", problems_with_backup, "a copy is on another token, the same key, no weaker, and proved by the CRL that it signed"),
    ("attachments", problems_with_attachments, "logs that came in were read by two, and are here where the script makes them public"),
    ("attestation", problems_with_attestation, "what the vendor attests is the root's key, by the root that the script names"),
    ("ledger", _problems_with_ledger, "made again from the record, the same"),
    ("rehearsal", record.problems_with_rehearsal, "said the same everywhere"),
)
