"""The command line as a contract: help, exit codes, data on stdout and talk on stderr, what is not built, unfit terminals."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ceremony.cli import COMMANDS
from tests.e2e.commands import PATIENCE, SCRIPTS, ceremony, command_line, done, environment, four_parts, last_bundle, refused, started
from tests.e2e.held import gone_on_to_the_end, lines_of, status
from tests.e2e.person import Person
from tests.e2e.tmux import terminal

SCRIPT = SCRIPTS / "root-generation.toml"
ANSWERS = SCRIPT.with_suffix(".answers.toml")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_takes(command: str) -> None:
    ended = started(command, "--help")
    assert ended.code == 0 and ended.out.startswith(f"usage: ceremony {command}") and ended.err == ""
    unknown = ceremony(command, "--no-such-option")
    assert unknown.code == 2 and unknown.out == "" and "usage:" in unknown.err


def test_help_lists_every_command_and_the_version_is_told() -> None:
    ended = done("--help")
    assert all(f"\n  {command} " in ended.out for command in COMMANDS)
    assert done("--version").out.startswith("root-ceremony ")
    assert ceremony().code == 2


def test_a_copied_process_ends_as_a_fresh_one_does(root_generation: Path, tmp_path: Path) -> None:
    """What most tests run (`forked`) is what people run."""
    for line in (["status", "--dir", root_generation / "D", "--json"], ["status", "--dir", tmp_path], ["verfy"], ["check", "--help"]):
        assert ceremony(*line) == started(*line)
    enter = "\n" * 80
    assert ceremony("new", "a.toml", typed=enter, cwd=tmp_path).code == started("new", "b.toml", typed=enter, cwd=tmp_path).code == 0
    assert (tmp_path / "a.toml").read_bytes() == (tmp_path / "b.toml").read_bytes()


def test_an_unknown_command_is_told_with_what_may_be_meant() -> None:
    unknown = ceremony("verfy")
    assert unknown.code == 2 and "did you mean 'verify'?" in unknown.err and unknown.out == ""


@pytest.mark.parametrize("command", [["status"], ["disable", "alpha.1"], ["retire", "alpha.1"]])
def test_the_online_side_says_when_no_service_is_named(command: list[str], tmp_path: Path) -> None:
    refused(ceremony("online", *command, cwd=tmp_path), 2, "ONLINE-CONFIG-MISSING")
    assert list(tmp_path.iterdir()) == []


def data(*arguments: str | Path) -> tuple[dict[str, Any], int]:
    """The one JSON document of a command's stdout, and its exit code."""
    ended = ceremony(*arguments)
    assert ended.out.count("\n") == 1 and ended.out.isascii(), ended
    told: dict[str, Any] = json.loads(ended.out)
    assert told["format"] == 1
    return told, ended.code


def test_json_is_one_document_and_nothing_else(root_generation: Path) -> None:
    folder = root_generation / "D"
    bundle = last_bundle(folder)
    plan, code = data("check", SCRIPT, "--json")
    assert code == 0 and plan["sound"] is True and len(plan["words"]) == 32
    standing, code = data("status", "--dir", folder, "--json")
    assert code == 0 and standing["state"] == "closed" and standing["fingerprint"] == standing["bundles"][-1]["fingerprint"]
    verdict, code = data("verify", bundle, "--json")
    assert (code, verdict["verdict"]) == (8, "UNANCHORED")
    verdict, code = data("verify", bundle, "--json", "--fingerprint", standing["fingerprint"])
    assert (code, verdict["verdict"]) == (0, "GOOD")
    findings, code = data("doctor", "--json")
    assert code in (0, 1) and {finding["check"] for finding in findings["findings"]} >= {"python", "terminal", "module", "token (blank)"}
    tokens, code = data("tokens", "--json")
    assert code == 0 and tokens["module"]["software"] is True and tokens["tokens"][0]["abilities"]["keys"]["ec:secp384r1"] == ""


def test_the_fingerprint_may_be_given_in_words(root_generation: Path) -> None:
    bundle, told = last_bundle(root_generation / "D"), status(root_generation / "D")
    from ceremony.words import words_of

    done("verify", bundle, "--fingerprint", " ".join(words_of(told["fingerprint"])))


def test_the_text_of_check_fits_the_paper_and_is_ascii() -> None:
    text = done("check", SCRIPTS / "first-ceremony.toml").out
    assert text.isascii() and " days)" in text
    assert all(len(line) <= 100 for line in text.splitlines())


@pytest.mark.parametrize("ending", [".pdf", ".html"])
def test_the_paper_script(ending: str, tmp_path: Path) -> None:
    paper = tmp_path / f"paper{ending}"
    done("print", SCRIPT, "-o", paper)
    assert paper.read_bytes().startswith(b"%PDF" if ending == ".pdf" else b"<!")
    refused(ceremony("print", SCRIPT, "-o", paper), 2, "FILE-EXISTS")
    refused(ceremony("print", SCRIPT, "-o", tmp_path / "paper.txt"), 2, "USAGE")
    refused(ceremony("print", SCRIPT, "-o", tmp_path / "none" / f"paper{ending}"), 2, "FILE-UNWRITABLE")


def test_report_and_verify_of_what_is_no_ceremony(tmp_path: Path) -> None:
    refused(ceremony("report", tmp_path, "-o", tmp_path / "r.pdf"), 2, "RECORD-MISSING")
    refused(ceremony("verify", tmp_path / "none"), 2, "BUNDLE-MISSING")
    empty = ceremony("verify", tmp_path)
    assert empty.code == 1 and "FAILED  record: " in empty.out


def test_a_reader_that_leaves_early_is_no_crash(root_generation: Path) -> None:
    line = " ".join(f"'{word}'" for word in command_line("verify", last_bundle(root_generation / "D")))
    ended = subprocess.run(
        ["bash", "-c", f"{line} | head -1"], capture_output=True, text=True, env=environment(), check=False, timeout=PATIENCE
    )
    assert "Traceback" not in ended.stderr and "BrokenPipe" not in ended.stderr


# terminals that the app cannot use


@pytest.mark.parametrize(
    ("environ", "size", "code"),
    [
        ({}, (79, 24), "TERMINAL-TOO-SMALL"),
        ({}, (80, 23), "TERMINAL-TOO-SMALL"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, (80, 24), "TERMINAL-NOT-UTF-8"),
        ({"TERM": "dumb"}, (80, 24), "TERMINAL-DUMB"),
    ],
)
def test_an_unfit_terminal_is_refused_before_anything_is_begun(
    environ: dict[str, str], size: tuple[int, int], code: str, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", str(size[0]), "rows", str(size[1])], stdin=theirs, check=True)
    line = command_line("rehearse", SCRIPT, "--dir", tmp_path / "D")
    ended = subprocess.run(line, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(environ), check=False, timeout=PATIENCE)
    os.close(theirs)
    said = os.read(ours, 1 << 16).decode().replace("\r\n", "\n")
    os.close(ours)
    assert ended.returncode == 2 and four_parts(said)["Code"] == code, said
    assert "\x1b" not in said
    assert not (tmp_path / "D").exists()


def test_no_terminal_at_all(tmp_path: Path) -> None:
    refused(ceremony("rehearse", SCRIPT, "--dir", tmp_path / "D"), 2, "TERMINAL-MISSING")
    site = tmp_path / "site.toml"
    site.write_text('format = 1\n[module]\npath = "/nowhere.so"\n')
    refused(ceremony("run", SCRIPT, "--site", site, "--dir", tmp_path / "D"), 2, "TERMINAL-MISSING")
    assert not (tmp_path / "D").exists()


# ways out of the app


@pytest.mark.parametrize(("signal", "exit_code"), [("INT", 130), ("TERM", 143), ("HUP", 129)])
def test_a_signal_is_a_recorded_stop_and_leaves_a_clean_terminal(signal: str, exit_code: int, tmp_path: Path) -> None:
    folder = tmp_path / "D"
    with terminal(tmp_path / "tmux", "rehearse", SCRIPT, "--dir", folder) as tmux:
        Person(tmux, "none").play(until="Does it agree to the minute?")
        assert tmux.flags() == "1 0"
        tmux.signal(signal)
        assert tmux.exit_code() == exit_code
        assert tmux.flags() == "0 1"
        screen = tmux.until("resume --dir")
    last = lines_of(folder)[-1]
    assert (last.type, last.data["reason"], last.data["text"]) == ("paused", "signal", f"SIG{signal}")
    assert "Fingerprint (SHA-256) to be on paper" in screen
    if signal == "TERM":
        gone_on_to_the_end(folder, ANSWERS)


def test_pause_and_abort_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "D"
    with terminal(tmp_path / "tmux", "rehearse", SCRIPT, "--dir", folder) as tmux:
        person = Person(tmux, "none")
        person.play(until="Who is here as crypto-officer")
        tmux.keys("F10")
        tmux.until("Stop here?")
        tmux.keys("2", "Enter")
        tmux.until("The session has ended")
        tmux.keys("Enter")
        assert tmux.exit_code() == 0
    assert lines_of(folder)[-1].data["reason"] == "operator"
    typed = [status(folder)["fingerprint"], *["present"] * 4, ":abort The bag of the token was open."]
    ended = ceremony("resume", "--dir", folder, "--plain", typed="".join(f"{line}\n" for line in typed))
    assert ended.code == 6, ended
    last = lines_of(folder)[-1]
    assert (last.type, last.data["text"]) == ("aborted", "The bag of the token was open.")
    refused(ceremony("resume", "--dir", folder, "--plain", typed=""), 2, "RECORD-ENDED")
