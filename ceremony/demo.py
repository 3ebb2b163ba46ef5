"""The demo: a whole root key ceremony on SoftHSM and a DPS simulator, from CSRs to a service that lets devices in."""

import importlib.util
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ceremony.crossing.verify import verify_bundle
from ceremony.demo_fleet import Fleet
from ceremony.errors import CeremonyError
from ceremony.machine.clock import now
from ceremony.machine.site import Site
from ceremony.online.request import pack_request
from ceremony.rehearsal import prepared
from ceremony.report.rendering import reports_of_bundle
from ceremony.session import Outcome, Session, begun
from ceremony.shipped import path_of
from ceremony.unattended import Answers, read_answers
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.demo_online import AzureSide
    from ceremony.engine.step import Face


def play(out: Path, removed: tuple[str, ...], say: Callable[..., None], hold: Callable[..., Outcome], program: str) -> int:
    """Plays it in `out`, a new folder.

    `hold(session, answers, between)` puts the session before whoever watches; `between` wraps the face: at the crossing
    the online side does its work. `program` is how the user calls the command. Returns an exit code.
    """
    try:
        out.mkdir(mode=0o700, parents=True)
    except FileExistsError as there:
        raise CeremonyError("FILE-EXISTS", f"{out} is there already.", state="It was not changed.") from there
    script_path = path_of("first-ceremony")
    script, answers = script_path.read_bytes(), read_answers(script_path.with_name("first-ceremony.answers.toml").read_bytes())
    say("", "1. Two factories make their keys, CSRs and paper forms.")
    fleet = Fleet(out, say, program)
    csrs = fleet.requested()
    say("2. Online, the CSRs are checked and packed; the words go onto the factories' paper forms.")
    summary = pack_request(out / "inbox" / "request-1", csrs, now)
    for csr in summary.csrs:
        say(f"     {csr.name}: {' '.join(csr.words[:8])} ...")
    say("3. In the air-gapped room: the ceremony, on a throw-away SoftHSM token. A REHEARSAL, on every screen and artifact.", "")
    with ExitStack() as until_the_end:
        azure = _azure_side(out, say, until_the_end)
        outcome = _held(script, out, answers, removed, hold, azure)
        if outcome.reason != "closed":
            say(f"The ceremony was not finished: {outcome.text or outcome.reason}. Go on by: {program} resume --dir {outcome.folder}")
            return outcome.exit_code
        exit_code = _shown(outcome, say, program)
        if azure is not None:
            _told_of_azure(azure, outcome, out, say, program)
            _told_of_fleet(azure, fleet, outcome, say)
    return exit_code


def _azure_side(out: Path, say: Callable[..., None], until_the_end: ExitStack) -> "AzureSide | None":
    """The simulator, started; None where the packages of the extra `online` are not installed."""
    try:
        from ceremony.demo_online import azure_side
    except ModuleNotFoundError as missing:
        say(f"   Azure's side is left out: the package {missing.name} is not installed (extra `online`).")
        return None
    return until_the_end.enter_context(azure_side(out))


def _told_of_azure(azure: "AzureSide", outcome: Outcome, out: Path, say: Callable[..., None], program: str) -> None:
    bundle = _last_bundle(outcome)
    say("", "6. Online: the plan of this bundle, applied to the simulator of Azure's Device Provisioning Service.")
    say(*azure.after_the_close(bundle, outcome.fingerprint))
    check = f"{program} verify {bundle} --fingerprint {outcome.fingerprint} --receipts {out / 'receipts.jsonl'}"
    say("   Each change left a receipt, chained to the bundle:", f"   $ {check}")


def _told_of_fleet(azure: "AzureSide", fleet: Fleet, outcome: Outcome, say: Callable[..., None]) -> None:
    say("", "7. The factory takes its certificate over and issues to devices.")
    fleet.issued(_last_bundle(outcome), outcome.fingerprint)
    if importlib.util.find_spec("azure.iot") is None:
        say("   The devices stay here: the package azure-iot-device is not installed (extra `device`).")
        return
    say("", "8. A device registers, learns its hub, connects, and comes again from what it remembers.")
    fleet.connected_and_compromised(azure.id_scope, azure.way_for_devices)


def _last_bundle(outcome: Outcome) -> Path:
    return max((outcome.folder / "bundles").iterdir(), key=lambda path: int(path.name))


def _held(
    script: bytes, out: Path, answers: Answers, removed: tuple[str, ...], hold: Callable[..., Outcome], azure: "AzureSide | None"
) -> Outcome:
    directory, outbox = out / "ceremony", out / "outbox"
    outbox.mkdir(mode=0o700)
    rehearsed = prepared(script, directory, None, removed)
    session: Session
    with begun(
        script, directory, site=Site(), inbox=out / "inbox", outbox=outbox, previous=(), removed=removed, rehearsed=rehearsed
    ) as session:

        def between(face: "Face") -> "Face":
            if azure is None:
                return face
            from ceremony.demo_online import AtTheCrossing

            return AtTheCrossing(face, lambda: azure.at_the_crossing(*_left_at_the_crossing(session)))

        return hold(session, answers, between)


def _left_at_the_crossing(session: Session) -> tuple[Path, str]:
    """The bundle that left, and its fingerprint, which the people in the room read aloud."""
    bundle = session.folder.bundle(1)
    return bundle, sha256_hex((bundle / "record" / "transcript.jsonl").read_bytes().splitlines(keepends=True)[-1])


def _shown(outcome: Outcome, say: Callable[..., None], program: str) -> int:
    bundle = _last_bundle(outcome)
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
