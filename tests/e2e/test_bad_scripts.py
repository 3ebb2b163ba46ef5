"""What is wrong with a script: every command that takes one refuses it, names each place at once, and begins nothing."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from tests.e2e.commands import SCRIPTS, ceremony, done, four_parts, refused

FIRST = SCRIPTS / "first-ceremony.toml"
Change = Callable[[dict[str, Any]], None]


def unknown_keys(script: dict[str, Any]) -> None:
    script["titel"] = "x"
    script["root"]["pathlength"] = 1
    script["steps"][0]["acter"] = "admin"


def an_impossible_order(script: dict[str, Any]) -> None:
    steps = script["steps"]
    generate = next(number for number, step in enumerate(steps) if step["kind"] == "generate-root")
    certify = next(number for number, step in enumerate(steps) if step["kind"] == "certify-root")
    steps[generate], steps[certify] = steps[certify], steps[generate]


def one_person_in_two_roles(script: dict[str, Any]) -> None:
    script["participants"][2]["name"] = script["participants"][0]["name"]


def one_person_as_an_alternate_of_two(script: dict[str, Any]) -> None:
    script["participants"][1]["alternates"] = [{"name": "Per Aas", "credential": f"ed25519:{'ab' * 32}"}]


def an_intermediate_that_outlives_its_root(script: dict[str, Any]) -> None:
    script["profiles"]["factory"]["not_after"] = script["root"]["not_after"].replace(year=2050)


def a_window_that_ends_before_it_begins(script: dict[str, Any]) -> None:
    script["window"]["to"] = script["window"]["from"].replace(year=2020)


def a_root_that_ends_before_the_window(script: dict[str, Any]) -> None:
    script["root"]["not_after"] = script["root"]["not_after"].replace(year=2026, month=1)


def a_stranger_who_confirms(script: dict[str, Any]) -> None:
    script["steps"][1]["confirm"] = ["witness-2"]


def no_backup(script: dict[str, Any]) -> None:
    del script["backup"]


def a_subject_with_a_turned_direction(script: dict[str, Any]) -> None:
    script["root"]["subject"] = "CN=Example \u202eRoot,O=Example"


def an_unknown_kind_of_step(script: dict[str, Any]) -> None:
    script["steps"].insert(1, {"kind": "export-key", "title": "x", "actor": "officer"})


def a_public_policy(script: dict[str, Any]) -> None:
    script["policy"] = "public-trust"


SCRIPT_INVALID = ("SCRIPT-INVALID", 2)
WRONG: dict[Change, tuple[tuple[str, int], tuple[str, ...]]] = {
    unknown_keys: (
        SCRIPT_INVALID,
        (
            "titel: unknown key; did you mean 'title'?",
            "root.pathlength: unknown key; did you mean 'path_length'?",
            "steps[1].acter: unknown key; did you mean 'actor'?",
        ),
    ),
    an_impossible_order: (SCRIPT_INVALID, ("steps[8]", "steps[10]")),
    one_person_in_two_roles: (SCRIPT_INVALID, ("'Kari Holm'", "kari holm")),
    one_person_as_an_alternate_of_two: (SCRIPT_INVALID, ("'Per Aas'", "per aas")),
    an_intermediate_that_outlives_its_root: (SCRIPT_INVALID, ("profiles.factory",)),
    a_window_that_ends_before_it_begins: (SCRIPT_INVALID, ("window",)),
    a_root_that_ends_before_the_window: (SCRIPT_INVALID, ("root",)),
    a_stranger_who_confirms: (SCRIPT_INVALID, ("steps[2]", "did you mean 'witness-1'?")),
    no_backup: (SCRIPT_INVALID, ("backup: is missing",)),
    a_subject_with_a_turned_direction: (SCRIPT_INVALID, ("root", "202E")),
    an_unknown_kind_of_step: (SCRIPT_INVALID, ("unknown step kind 'export-key'",)),
    a_public_policy: (("NOT-BUILT", 7), ("public-trust",)),
}


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_a_script_that_cannot_hold(change: Change, tmp_path: Path) -> None:
    script = tomllib.loads(FIRST.read_text())
    change(script)
    path = tmp_path / "script.toml"
    path.write_text(tomlkit.dumps(script))
    (code, exit_code), places = WRONG[change]
    checked = ceremony("check", path)
    refused(checked, exit_code, code)
    named = [place for place in places if place in checked.err]
    assert named == list(places) or (change in (one_person_in_two_roles, one_person_as_an_alternate_of_two) and named), checked.err
    told = ceremony("check", path, "--json")
    assert told.code == exit_code
    problems = json.loads(told.out)
    assert problems["sound"] is False and problems["problems"]


@pytest.mark.parametrize("command", [["rehearse"], ["rehearse", "--plain"], ["run", "--plain"], ["print", "-o", "paper.pdf"]])
def test_no_command_begins_anything_with_it(command: list[str], tmp_path: Path) -> None:
    script = tomllib.loads(FIRST.read_text())
    unknown_keys(script)
    (tmp_path / "script.toml").write_text(tomlkit.dumps(script))
    name, *options = command
    directory = [] if name == "print" else ["--dir", "D"]
    answers = ["--answers", str(FIRST.with_suffix(".answers.toml"))] if command == ["rehearse"] else []
    refused(ceremony(name, "script.toml", *options, *directory, *answers, cwd=tmp_path), 2, "SCRIPT-INVALID")
    assert [path.name for path in tmp_path.iterdir()] == ["script.toml"]


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"format = 1\nformat = 1\n", "not TOML"),
        (b"\xff\xfe", "not TOML"),
        (b"[[steps]\n", "not TOML"),
        (b"", "format: is missing"),
        (b"#" * ((1 << 20) + 1), "larger than"),
    ],
    ids=["duplicate key", "not UTF-8", "not TOML", "empty", "too large"],
)
def test_a_file_that_is_no_script(octets: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "script.toml").write_bytes(octets)
    ended = ceremony("check", tmp_path / "script.toml")
    refused(ended, 2, "SCRIPT-INVALID")
    assert says in ended.err


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    for command in (["check"], ["rehearse", "--plain", "--dir", str(tmp_path / "D")], ["run", "--plain", "--dir", str(tmp_path / "D")]):
        refused(ceremony(command[0], tmp_path / "none.toml", *command[1:]), 2, "SCRIPT-UNREADABLE")
    refused(ceremony("check", tmp_path), 2, "SCRIPT-UNREADABLE")
    assert list(tmp_path.iterdir()) == []


ANSWERS = {
    "unknown entry": ('[answers]\n"99/bag" = "x"\n', "ANSWERS-UNKNOWN"),
    "unknown table": ("[answer]\n", "ANSWERS-UNKNOWN"),
    "not TOML": ("[answers\n", "ANSWERS-BROKEN"),
}


@pytest.mark.parametrize("wrong", ANSWERS)
def test_an_answers_file_that_means_nothing_to_the_script(wrong: str, tmp_path: Path) -> None:
    text, code = ANSWERS[wrong]
    (tmp_path / "answers.toml").write_text(text)
    refused(ceremony("rehearse", FIRST, "--answers", tmp_path / "answers.toml", "--dir", tmp_path / "D"), 2, code)
    ended = ceremony("status", "--dir", tmp_path / "D")
    refused(ended, 2, "RECORD-MISSING")


def test_an_answer_that_is_missing_pauses_and_can_be_added(tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text("")
    script = SCRIPTS / "root-generation.toml"
    ended = ceremony("rehearse", script, "--answers", tmp_path / "answers.toml", "--dir", tmp_path / "D")
    assert ended.code == 2 and four_parts(ended.err)["Code"] == "ANSWERS-MISSING", ended
    assert json.loads(done("status", "--dir", tmp_path / "D", "--json").out)["paused_for"] == "error"
    done("resume", "--dir", tmp_path / "D", "--answers", script.with_suffix(".answers.toml"))


def test_entries_that_nothing_asked_for_are_an_error_at_the_end(tmp_path: Path) -> None:
    script = SCRIPTS / "root-generation.toml"
    (tmp_path / "answers.toml").write_text(script.with_suffix(".answers.toml").read_text() + '"record/token-bog/1/first" = "x"\n')
    ended = ceremony("rehearse", script, "--answers", tmp_path / "answers.toml", "--dir", tmp_path / "D")
    assert ended.code == 2 and four_parts(ended.err)["Code"] == "ANSWERS-UNUSED", ended
    assert "record/token-bog/1/first" in ended.err
    assert json.loads(done("status", "--dir", tmp_path / "D", "--json").out)["state"] == "closed"


def test_answers_are_for_rehearsals_alone(tmp_path: Path) -> None:
    ended = ceremony("run", FIRST, "--answers", FIRST.with_suffix(".answers.toml"), "--dir", tmp_path / "D")
    assert ended.code == 2 and "unrecognized arguments: --answers" in ended.err
    assert list(tmp_path.iterdir()) == []
