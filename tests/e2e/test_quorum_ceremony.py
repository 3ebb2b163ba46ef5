"""All that people bring, in one ceremony: PINs in shares, credentials in files and on a token; unattended and in the app."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

from ceremony.commands.conducting import heading_of, read_answers_file, unattended
from ceremony.engine.step import Interrupt
from ceremony.machine.site import Site
from ceremony.rehearsal import prepared
from ceremony.session import Outcome, begun
from ceremony.transcript import Line
from ceremony.tui.app import CeremonyApp
from ceremony.tui.autoplay import Pace
from tests.e2e.commands import PATIENCE, SCRIPTS, done, last_bundle, rehearsed
from tests.e2e.held import lines_of
from tests.e2e.normalised import normalised
from tests.e2e.secrets_kept import held_by
from tests.e2e.test_shipped_scripts import ALWAYS, PROOF, files, fingerprint, intermediates, judged

SCRIPT = SCRIPTS / "quorum-ceremony.toml"
WITNESS, AUDITOR = "witness-1", "auditor"


def in_the_app(folder: Path) -> None:
    """The real app, which types the same answers into its own fields."""
    octets = SCRIPT.read_bytes()
    rehearsal = prepared(octets, folder, None, ())
    with begun(octets, folder, site=Site(), inbox=None, outbox=None, previous=(), removed=(), rehearsed=rehearsal) as session:
        people = unattended(session, read_answers_file(SCRIPT.with_suffix(".answers.toml")), silent=True)
        pace = Pace(reading=0, character=0, page=0, enter=0, ending=0.1)
        app: CeremonyApp[Outcome] = CeremonyApp(session.conduct, heading=heading_of(session), autoplay=people, pace=pace)

        async def run() -> None:
            async with asyncio.timeout(3 * PATIENCE), app.run_test(size=(80, 24)):
                while app.is_running:
                    await asyncio.sleep(0.05)

        try:
            asyncio.run(run())
        finally:
            app.face.close(Interrupt(kind="signal", text="the test is over", exit_code=1))
        assert app.outcome().reason == "closed"
        people.finish()


def test_unattended_and_in_the_app_it_is_the_same_ceremony(tmp_path: Path) -> None:
    by_itself, app = tmp_path / "unattended", tmp_path / "app"
    ended = rehearsed("quorum-ceremony", by_itself)
    assert ended.code == 0, ended
    in_the_app(app)
    lines, others = normalised(by_itself), normalised(app)
    assert len(lines) == len(others) > 300
    for number, (line, other) in enumerate(zip(lines, others, strict=True), 1):
        assert line == other, f"line {number}"
    judged(by_itself, bundles=2)
    for folder in (by_itself, app):
        bundle = last_bundle(folder)
        done("verify", bundle, "--fingerprint", fingerprint(folder, 2))
        assert files(bundle) == ALWAYS | intermediates("alpha.1", "beta.1") | {PROOF}
        held_by_a_quorum(bundle)
        signed_by_token_and_passphrase(lines_of(folder))
        answered_in_their_own_name(lines_of(folder))
        papers = [path.read_bytes() for path in (folder / "work" / "rehearsal" / "paper").iterdir()]
        record = (bundle / "record" / "transcript.jsonl").read_bytes()
        assert len(papers) == 8 and not any(held_by(record + (ended.out + ended.err).encode(), paper.decode()) for paper in papers)
    assert "any 3 of 5" in done("check", SCRIPT).out


def held_by_a_quorum(bundle: Path) -> None:
    """The ledger tells of three of five and two of three, by name."""
    [entry] = json.loads((bundle / "record" / "ledger.json").read_text())["ceremonies"]
    user, so = entry["activation"]["user"], entry["activation"]["so"]
    assert (user["threshold"], len(user["holders"]), so["threshold"], len(so["holders"])) == (3, 5, 2, 3)
    assert {"id": "custodian-4", "name": "Dag Ivers"} in so["holders"] and user["set"] != so["set"]


def answered_in_their_own_name(lines: list[Line]) -> None:
    """Whoever stands in from the second session on says so in their own name."""
    said = {(line.step, line.data["key"]): line.data["name"] for line in lines if line.type == "confirmed"}
    assert (said[1, "present/admin"], said[13, "present/admin"]) == ("Kari Holm", "Per Aas")
    assert (said[13, "who/admin"], said[13, "who/officer-1"], said[13, "identified/auditor"]) == ("Kari Holm", "Per Aas", "Per Aas")


def signed_by_token_and_passphrase(lines: list[Line]) -> None:
    """The witness signed with a key on a token, ECDSA as DER; the auditor with one in a file, Ed25519; both kinds are the script's."""
    signed: dict[str, list[dict[str, Any]]] = {WITNESS: [], AUDITOR: []}
    for line in lines:
        if line.type == "signed-off" and line.data["participant"] in signed:
            signed[line.data["participant"]].append(line.data)
    assert all(len(entries) == 2 for entries in signed.values())
    assert {entry["credential"].rpartition(":")[0] for entry in signed[WITNESS]} == {"ec:secp256r1"}
    assert all(entry["signature"].startswith("30") for entry in signed[WITNESS])
    assert {entry["credential"].rpartition(":")[0] for entry in signed[AUDITOR]} == {"ed25519"}
    roster = {person["id"]: person["credential"] for person in tomllib.loads(SCRIPT.read_text())["participants"]}
    assert roster[WITNESS].startswith("ec:secp256r1:") and roster[AUDITOR].startswith("ed25519:")
