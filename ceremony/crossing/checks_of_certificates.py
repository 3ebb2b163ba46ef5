"""What `verify` asks of the certificates: that the record accounts for each, and that each is what the script allows."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator

from ceremony.crossing.artifacts import place_of, searched_artifact
from ceremony.crossing.ledger import certified_in
from ceremony.crossing.products import Products
from ceremony.crossing.record import Artifact, KeyMade, ProofKey, data_as
from ceremony.crossing.request import ProofRequest, ReceivedCsr
from ceremony.crossing.roots import living_roots, roots_in
from ceremony.crossing.subject import CertificateFile, Subject
from ceremony.crossing.tokens import roots_without_a_token
from ceremony.errors import CeremonyError
from ceremony.pki.certificates import problems_with_certificate
from ceremony.pki.csr import read_csr
from ceremony.pki.names import name_matches, name_text
from ceremony.pki.profiles import CertificateProfile, intermediate_profile, proof_profile, root_profile
from ceremony.pki.reissuing import problems_with_reissued, reissues
from ceremony.words import check_words, sha256_hex, words_of

_PURPOSE = {f"{purpose}-certificate": purpose for purpose in ("root", "intermediate", "proof", "cross")}


def problems_with_artifacts(subject: Subject) -> Iterator[str]:
    """Each artifact is one result line, one entry of the seal and one file; each certificate is one signature, and the reverse."""
    written = Counter(artifact.path for artifact in subject.record.artifacts)
    yield from (f"{path} was written {times} times" for path, times in written.items() if times > 1)
    results, sealed = set(subject.record.artifacts), set(subject.record.sealed.artifacts)
    yield from (f"{artifact.path} is sealed, and no line wrote it so" for artifact in sorted(sealed - results, key=_path))
    yield from (f"{artifact.path} was written, and is not sealed so" for artifact in sorted(results - sealed, key=_path))
    for artifact in subject.record.sealed.artifacts:
        try:
            if artifact.path not in subject.files:
                yield f"{artifact.path} is missing"
            elif searched_artifact(artifact.path, subject.files[artifact.path]) != artifact:
                yield f"{artifact.path} is not the file that the seal lists"
        except CeremonyError as broken:
            yield broken.what
    signatures = {signature.arguments.serial: signature for signature in subject.record.signatures if signature.arguments.serial}
    for entry in subject.certificates:
        signature = signatures.pop(entry.artifact.serial or "", None)
        if signature is None and not is_carried_on(subject, entry):
            yield f"{entry.artifact.path}: no line tells of its signature"
        elif signature is not None:
            asked = signature.arguments
            made = signature.made.signature if signature.made else None
            if asked.sha256 != sha256_hex(entry.certificate.tbs_certificate_bytes) or made != entry.certificate.signature.hex():
                yield f"{entry.artifact.path} is not what line {signature.line.seq} and its result signed"
            if asked.purpose != _PURPOSE[entry.artifact.kind] or asked.subject != name_text(entry.certificate.subject):
                yield f"{entry.artifact.path} has another purpose or subject than line {signature.line.seq}"
            if asked.public_key and not _signed_with(asked.public_key, entry):
                yield f"{entry.artifact.path} was not signed with the key that line {signature.line.seq} names"
    for signature in signatures.values():
        if signature.is_made:
            yield f"the signature of {signature.name} (line {signature.line.seq}) has no certificate here"


def _signed_with(public_key: str, entry: CertificateFile) -> bool:
    try:
        return entry.is_signed_by(bytes.fromhex(public_key))
    except ValueError:
        return False


def problems_with_root(subject: Subject) -> Iterator[str]:
    """Self-signed: the one the seal names, made here by its profile on the generated key, or carried over; and every living root beside."""
    roots = subject.of_kind("root-certificate")
    named = subject.record.sealed.root_certificate_sha256
    if (named or subject.certificates) and named not in {sha256_hex(root.der) for root in roots}:
        yield f"the root certificate that the seal names is not among the {len(roots)} here"
    before = roots_in(subject.earlier)
    previous = subject.record.opened.previous
    if previous and previous.root_certificate_sha256 not in {root.certificate_sha256 for root in before}:
        yield "the first line names a root of the ceremony before that is not in the ledger"
    held = {sha256_hex(root.der) for root in roots}
    missing = [root.label for root in living_roots(subject.earlier) if root.certificate_sha256 not in held]
    yield from (f"the certificate of the root {label}, which lives, is not here" for label in missing)
    for root in roots:
        yield from _problems_with_signature(root, root)
        if is_carried_on(subject, root):
            label = next(earlier.label for earlier in before if earlier.certificate_sha256 == sha256_hex(root.der))
            yield from [f"{root.artifact.path} does not bear the label {label}"] * (_name(root) != label)
            continue
        if sha256_hex(root.der) != named:
            yield f"{root.artifact.path} is neither the root certificate that the seal names nor one of the ledger"
        yield from _problems_with_name_taken(subject, root)
        key = KeyMade(subject.script.root.label, root.public_key_der.hex(), sha256_hex(root.public_key_der))
        if key not in subject.record.keys:
            yield f"{root.artifact.path} holds a key that no line generated under the script's label"
        if _name(root) != subject.script.root.label:
            yield f"{root.artifact.path} does not bear the label {subject.script.root.label}"
        products = _products(subject, root)
        profile = root_profile(subject.script.root, _day(products), subject.record.opened.rehearsal)
        yield from _problems_with_profile(root, profile)


def _problems_with_name_taken(subject: Subject, root: CertificateFile) -> Iterator[str]:
    """A new root has a label and a subject of its own: by them the roots of a chain are told apart."""
    named = name_text(root.certificate.subject)
    if any(earlier.label == _name(root) for earlier in roots_in(subject.earlier)):
        yield f"{root.artifact.path}: an earlier root of the chain has that label"
    table = subject.script.roll_over
    old = subject.roots.get(table.label) if table else None
    taken_over = old is not None and name_text(old.certificate.subject) == named
    before = {entry.subject for ceremony in subject.earlier for entry in ceremony.entries if entry.purpose == "root"}
    if not taken_over and named in before:
        yield f"{root.artifact.path}: an earlier root of the chain has that subject"


def problems_with_intermediates(subject: Subject) -> Iterator[str]:
    """Signed by the root, named by the script, by its profile, on the CSR's key and name; with a chain, leaf first.

    No key was certified before, but where the script re-issues its certificate.
    """
    chains = {artifact.path for artifact in subject.record.sealed.artifacts if artifact.kind == "intermediate-chain"}
    entries = {entry.name: entry for entry in subject.script.intermediates}
    for intermediate in subject.of_kind("intermediate-certificate"):
        name, path = _name(intermediate), intermediate.artifact.path
        chain = path.removesuffix(".cert.pem") + ".chain.pem"
        chains.discard(chain)
        entry, csr = entries.get(name), _products(subject, intermediate).csrs.get(name)
        if subject.root is None:
            yield f"{path}: there is no root to check it against"
        elif entry is None or entry.profile not in subject.script.profiles:
            yield f"{path}: the script names no such intermediate"
        elif csr is None:
            yield f"{path}: no CSR of this name came in"
        else:
            table = subject.script.profiles[entry.profile]
            yield from (f"{path}: {problem}" for problem in name_matches(intermediate.certificate.subject, table.subject))
            yield from _problems_with_signature(intermediate, subject.root)
            yield from _problems_with_csr(intermediate, csr)
            day = _day(_products(subject, intermediate))
            yield from _problems_with_profile(
                intermediate, intermediate_profile(table, intermediate.certificate.subject, subject.root.der, day)
            )
            if subject.files.get(chain) != subject.files[path] + subject.files[subject.root.artifact.path]:
                yield f"{chain} is not the intermediate followed by its root"
    yield from (f"{chain} has no certificate of its own" for chain in sorted(chains))
    yield from _problems_with_keys_before(subject)


def _problems_with_keys_before(subject: Subject) -> Iterator[str]:
    """No key is certified twice, but for that of the one certificate which the script re-issues, under its subject."""
    made_here = [entry for entry in subject.of_kind("intermediate-certificate") if subject.root is not None]
    keys = Counter(entry.public_key_der for entry in made_here)
    yield from (f"{entry.artifact.path}: its key has another certificate here" for entry in made_here if keys[entry.public_key_der] > 1)
    certified = certified_in(subject.earlier)
    if not made_here or not certified:
        return
    tables, table = subject.script.revoke, subject.script.roll_over
    old = subject.roots.get(table.label) if table else None
    roots = [subject.root_fingerprint or "", *([sha256_hex(old.der)] if old else [])]
    lost = subject.record.products(subject.record.lines[-1].step).lost_tokens
    roots += [root.certificate_sha256 for root in roots_without_a_token(subject.earlier, lost)]
    try:
        allowed = reissues(subject.script.intermediates, tables, certified, roots, rehearsal=subject.record.opened.rehearsal)
    except CeremonyError as refused:
        yield f"{refused.code}: {refused.what}"
        return
    keys_before = {other.public_key_sha256 for other in certified}
    for entry in made_here:
        path, key, earlier = entry.artifact.path, sha256_hex(entry.public_key_der), allowed.get(_name(entry))
        if earlier is not None:
            subject_text = name_text(entry.certificate.subject)
            yield from (f"{path}: {code}: {text}" for code, text in problems_with_reissued(earlier, key, subject_text))
        elif key in keys_before:
            yield f"{path}: its key was certified by an earlier ceremony, and the script does not re-issue it"


def problems_with_proofs(subject: Subject) -> Iterator[str]:
    """Signed by the root itself for a service of the script; its CN is the code that came in for this root, byte for byte.

    A code came in by a request, or, where the script allows it, typed by two people and confirmed by its check words.
    """
    allowed = {f"{proof.service}/{proof.certificate}" for proof in subject.script.proofs}
    keys = {data_as(ProofKey, line, value).public_key for line, value in subject.record.results("proof-key")}
    ours = [request for request in subject.record.requests if request.root_fingerprint == subject.root_fingerprint]
    asked = {proof for request in ours for proof in request.proofs} | _typed_codes(subject)
    for proof in subject.of_kind("proof-certificate"):
        path, name = proof.artifact.path, _name(proof)
        code = _products(subject, proof).codes.get(name.split("/")[0])
        if subject.root is None:
            yield f"{path}: there is no root to check it against"
        elif name not in allowed:
            yield f"{path}: the script names no such proof"
        elif code is None or code not in asked or f"{code.service}/{code.certificate}" != name:
            yield f"{path}: no request for this root brought a code for it, and no two people typed one that agrees with its check words"
        else:
            yield from _problems_with_signature(proof, subject.root)
            day = _day(_products(subject, proof))
            yield from _problems_with_profile(proof, proof_profile(code.verification_code, subject.root.der, day))
            if proof.public_key_der.hex() not in keys:
                yield f"{path} holds a key that was not made for a proof"


def _typed_codes(subject: Subject) -> set[ProofRequest]:
    """The codes that two people typed alike, with their check words, for services whose code the script allows to be typed."""
    answers = {(line.step, str(line.data.get("key"))): line.data for line in subject.record.of_type("confirmed")}
    found = set()
    for (step, key), data in answers.items():
        start, _, part = key.rpartition("/")
        code, first = str(data.get("value")), data.get("by")
        again, words = (answers.get((step, f"{start}/{other}"), {}) for other in ("again", "words"))
        alike = again.get("value") == code and again.get("by") not in (None, first)
        if part == "code" and alike and words.get("value") == " ".join(check_words(code)):
            found |= {
                ProofRequest(proof.service, proof.certificate, code)
                for proof in subject.script.proofs
                if proof.typed and start.startswith("typed/") and start.endswith(f"/{proof.service}")
            }
    return found


def problems_with_vouching(subject: Subject) -> Iterator[str]:
    """Two people typed eight words each of every CSR's key digest, or the script pins it (rule 3)."""
    pinned = {entry.name: entry.spki_sha256 for entry in subject.script.intermediates}
    came_in = {csr for request in subject.record.requests for csr in request.csrs}
    typed: dict[str, set[str]] = {}
    for line in subject.record.of_type("confirmed"):
        typed.setdefault(str(line.data.get("value")), set()).add(str(line.data.get("by")))
    for name, csr in subject.record.products(subject.record.lines[-1].step).csrs.items():
        words = words_of(csr.spki_sha256)
        first, second = (typed.get(" ".join(part), set()) for part in (words[:8], words[8:16]))
        if csr not in came_in or csr.name != name or sha256_hex(csr.pem.encode()) != csr.sha256:
            yield f"the CSR {name} stands in no request that came in"
        if pinned.get(name) is not None:
            if pinned[name] != csr.spki_sha256:
                yield f"the CSR {name} holds another key than the script pins"
        elif not any(one != other for one in first for other in second):
            yield f"the words of the key of {name} were not typed from paper by two people"


def _problems_with_csr(intermediate: CertificateFile, csr: ReceivedCsr) -> Iterator[str]:
    try:
        request = read_csr(csr.pem.encode())
    except CeremonyError as broken:
        yield f"the CSR {csr.name}: {broken.what}"
        return
    if request.public_key_der != intermediate.public_key_der or request.public_key_sha256 != csr.spki_sha256:
        yield f"{intermediate.artifact.path} holds another key than its CSR"
    if request.subject != intermediate.certificate.subject:
        yield f"{intermediate.artifact.path} has another subject than its CSR"


def _problems_with_signature(entry: CertificateFile, issuer: CertificateFile) -> Iterator[str]:
    try:
        holds = entry.is_signed_by(issuer.public_key_der)
    except ValueError as broken:
        yield f"{issuer.artifact.path}: {broken}"
        return
    if not holds:
        yield f"{entry.artifact.path} was not signed by the root itself"


def _problems_with_profile(entry: CertificateFile, profile: CertificateProfile) -> Iterator[str]:
    try:
        problems = problems_with_certificate(entry.der, profile)
    except ValueError as broken:
        problems = [str(broken)]
    yield from (f"{entry.artifact.path}: {problem}" for problem in problems)


def is_carried_on(subject: Subject, entry: CertificateFile) -> bool:
    """Whether it is a root's or a cross-certificate of an earlier ceremony, as the ledger has it."""
    if entry.artifact.kind == "root-certificate":
        return sha256_hex(entry.der) in {root.certificate_sha256 for root in roots_in(subject.earlier)}
    told = (other for ceremony in subject.earlier for other in ceremony.entries if other.serial == entry.artifact.serial)
    signed = sha256_hex(entry.certificate.tbs_certificate_bytes)
    return entry.artifact.kind == "cross-certificate" and any(
        (other.path, other.to_be_signed_sha256) == (entry.artifact.path, signed) for other in told
    )


def _products(subject: Subject, entry: CertificateFile) -> Products:
    """What was established before the step that signed this certificate."""
    return subject.record.products(subject.record.steps_of_artifacts.get(entry.artifact.path))


def _day(products: Products) -> dt.date:
    try:
        return dt.date.fromisoformat(products.ceremony_day or "")
    except ValueError as broken:
        raise CeremonyError("RECORD-BROKEN", "Nobody agreed on the day before the signature.") from broken


def _name(entry: CertificateFile) -> str:
    place = place_of(entry.artifact.path)
    return place[1] if place else ""


def _path(artifact: Artifact) -> str:
    return artifact.path
