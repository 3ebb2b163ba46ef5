"""The demo: a whole root key ceremony on SoftHSM, from CSRs and a blank token to a verified bundle, narrated."""

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError
from ceremony.machine.clock import now
from ceremony.machine.site import Site
from ceremony.online.request import pack_request
from ceremony.pki.names import parse_name
from ceremony.rehearsal import prepared
from ceremony.report.rendering import reports_of_bundle
from ceremony.session import Outcome, Session, begun
from ceremony.shipped import path_of
from ceremony.unattended import Answers, read_answers

FACTORIES = {"alpha.1": "CN=Alpha Factory 1,O=Example", "beta.1": "CN=Beta Factory 1,O=Example"}


def play(out: Path, removed: tuple[str, ...], say: Callable[..., None], hold: Callable[..., Outcome], program: str) -> int:
    """Plays it in `out`, a new folder. `hold(session, answers)` puts the session before whoever watches.

    `program` is how the user calls the command. Returns an exit code.
    """
    try:
        out.mkdir(mode=0o700, parents=True)
    except FileExistsError as there:
        raise CeremonyError("FILE-EXISTS", f"{out} is there already.", state="It was not changed.") from there
    script_path = path_of("first-ceremony")
    script, answers = script_path.read_bytes(), read_answers(script_path.with_name("first-ceremony.answers.toml").read_bytes())
    say("", "1. Two factories make their keys and CSRs (here: in software, and the keys are dropped).")
    csrs = _csrs(out / "csr")
    say("2. Online, the CSRs are checked and packed; the words go onto the factories' paper forms.")
    summary = pack_request(out / "inbox" / "request-1", csrs, now)
    for csr in summary.csrs:
        say(f"     {csr.name}: {' '.join(csr.words[:8])} ...")
    say("3. In the air-gapped room: the ceremony, on a throw-away SoftHSM token. A REHEARSAL, on every screen and artifact.", "")
    outcome = _held(script, out, answers, removed, hold)
    if outcome.reason != "closed":
        say(f"The ceremony was not finished: {outcome.text or outcome.reason}. Go on by: {program} resume --dir {outcome.folder}")
        return outcome.exit_code
    return _shown(outcome, say, program)


def _held(script: bytes, out: Path, answers: Answers, removed: tuple[str, ...], hold: Callable[..., Outcome]) -> Outcome:
    directory, outbox = out / "ceremony", out / "outbox"
    outbox.mkdir(mode=0o700)
    rehearsed = prepared(script, directory, None, removed)
    session: Session
    with begun(
        script, directory, site=Site(), inbox=out / "inbox", outbox=outbox, previous=None, removed=removed, rehearsed=rehearsed
    ) as session:
        return hold(session, answers)


def _shown(outcome: Outcome, say: Callable[..., None], program: str) -> int:
    bundle = max((outcome.folder / "bundles").iterdir(), key=lambda path: int(path.name))
    say("", f"4. What left the room: {bundle}")
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        say(f"     {path.relative_to(bundle)}")
    verdict = verify_bundle(bundle, fingerprint=outcome.fingerprint, render=reports_of_bundle)
    passed = sum(check.passed for check in verdict.checks)
    say("", f"5. Anyone can verify it: {passed} of {len(verdict.checks)} checks passed. Verdict: {verdict.word}", "   Do it yourself:")
    root = next((bundle / "root").iterdir())
    say(
        f"     {program} verify {bundle} --fingerprint {outcome.fingerprint}",
        f"     (cd {bundle} && sha256sum -c SHA256SUMS)",
        f"     openssl verify -x509_strict -CAfile {root} {bundle}/intermediates/alpha.1.cert.pem",
        f"   Read the report: {bundle}/record/report.pdf",
    )
    return int(verdict.exit_code)


def _csrs(folder: Path) -> dict[str, Path]:
    folder.mkdir()
    paths = {}
    for name, subject in FACTORIES.items():
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(parse_name(subject))
            .sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
        )
        paths[name] = folder / f"{name}.csr.pem"
        paths[name].write_bytes(request.public_bytes(Encoding.PEM))
    return paths
