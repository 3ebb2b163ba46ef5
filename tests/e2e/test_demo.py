"""`make demo`: without a terminal it runs by itself; in one the app plays, and any key takes over."""

import re
import subprocess
from pathlib import Path

from cryptography import x509

from ceremony.online.receipts import read_receipts
from tests.e2e.commands import ROOT, ceremony, done, refused
from tests.e2e.held import lines_of
from tests.e2e.openssl import openssl
from tests.e2e.person import Person
from tests.e2e.tmux import terminal


def test_without_a_terminal_it_runs_and_says_how_to_verify(tmp_path: Path) -> None:
    ended = done("demo", "--out", tmp_path / "demo")
    assert ended.out == ""
    assert "Verdict: GOOD" in ended.err
    bundle = tmp_path / "demo" / "ceremony" / "bundles" / "2"
    for path in bundle.rglob("*"):
        assert path.is_dir() or str(path.relative_to(bundle)) in ended.err
    verify, sums, by_openssl = re.findall(r"^     ((?:ceremony verify|\(cd|openssl).*)$", ended.err, re.MULTILINE)
    arguments = verify.split()[1:]
    assert ceremony(*arguments).code == 0
    openssl("version")
    for line in (sums, by_openssl):
        assert subprocess.run(["sh", "-c", line], capture_output=True, check=False, cwd=ROOT).returncode == 0, line
    refused(ceremony("demo", "--out", tmp_path / "demo"), 2, "FILE-EXISTS")
    goes_on_through_azures_side(ended.err, tmp_path / "demo")
    ends_with_a_device_at_its_hub(ended.err, tmp_path / "demo")


def goes_on_through_azures_side(said: str, out: Path) -> None:
    """The root up and the code down at the crossing, then the proof of that code, groups, status, receipts."""
    told = [
        "[1/1] + upload example-root-g1", "fetched", "[admin] go on", "[1/3] ~ verify example-root-g1", "[2/3] + group alpha.1",
        "[3/3] + group beta.1", "Certificates: 1 of at most 25", "Groups: 2 of at most 100", "Nothing is other than it should be.",
    ]  # fmt: skip
    places = [said.index(text) for text in told]
    assert places == sorted(places)
    receipts, torn = read_receipts((out / "receipts.jsonl").read_bytes())
    kinds = [receipt.kind for receipt in receipts]
    assert (kinds, torn) == (
        ["certificate-uploaded", "code-issued", "certificate-verified", "group-made", "group-made", "group-disabled"],
        0,
    )
    bundle = out / "ceremony" / "bundles" / "2"
    proof = x509.load_pem_x509_certificate((bundle / "proof-of-possession/example-dps/example-root-g1.cert.pem").read_bytes())
    assert proof.subject.rfc4514_string() == f"CN={receipts[1].data['verification_code']}"
    (verify,) = re.findall(r"^   \$ (ceremony verify .* --receipts .*)$", said, re.MULTILINE)
    assert ceremony(*verify.split()[1:]).code == 0


def ends_with_a_device_at_its_hub(said: str, out: Path) -> None:
    """Issued, registered, connected from the cache, the intermediate disabled: another device stays out, the first still connects."""
    told = [
        "ceremony factory issue", "sensor-1.chain.pem", "ceremony device register", "hub        127.0.", "connected to 127.0.",
        "ceremony online disable alpha.1", "sensor-2", "Code: DEVICE-GROUP-DISABLED", "connected to 127.0.",
    ]  # fmt: skip
    place = said.index("7. The factory")
    for text in told:
        place = said.index(text, place) + len(text)
    assert said.count("known from the cache") == 2
    bundle = out / "ceremony" / "bundles" / "2"
    (root,) = (bundle / "root").iterdir()
    (chain,) = out.rglob("sensor-1.chain.pem")
    openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", root, "-untrusted", chain, chain)


def test_in_a_terminal_the_app_plays_and_any_key_takes_over(tmp_path: Path) -> None:
    with terminal(tmp_path / "tmux", "demo", "--out", tmp_path / "demo") as tmux:
        tmux.until("PLAYING BY ITSELF")
        tmux.until("Step 1 of 25")
        tmux.until("Who is here as crypto-officer")
        tmux.keys("x")
        tmux.until_gone("PLAYING BY ITSELF")
        # It is a person's now: the question that stands is answered by hand, and nothing goes on by itself.
        Person(tmux, "none").play(until="Eva Lund (witness): Are you here, in this role?")
        tmux.keys("F10")
        tmux.until("Stop here?")
        tmux.keys("2", "Enter")
        tmux.until("The session has ended")
        tmux.keys("Enter")
        assert tmux.exit_code() == 0
        assert tmux.flags() == "0 1"
        tmux.until("Go on by: ceremony resume --dir")
    last = lines_of(tmp_path / "demo" / "ceremony")[-1]
    assert (last.type, last.data["reason"]) == ("paused", "operator")


def test_watched_without_a_fit_terminal_it_says_why_and_runs(tmp_path: Path) -> None:
    with terminal(tmp_path / "tmux", "demo", "--out", tmp_path / "demo", environ={"TERM": "dumb"}) as tmux:
        assert tmux.exit_code() == 0
        tmux.until("known from the cache; a message sent, the twin read")
        assert "Verdict: GOOD" in tmux.raw.read_text()
        assert "Unattended: TERM is dumb." in tmux.raw.read_text()
        assert "\x1b[" not in tmux.raw.read_text()
