"""Man page and completions are those that the parsers make, shells and groff find nothing wrong with them, and bash completes by them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from ceremony.cli import COMMANDS
from ceremony.errors import ExitCode
from tests.test_docs import made_by

ROOT = Path(__file__).parent.parent
SHELL = ROOT / "docs" / "shell"
MADE = made_by(ROOT / "docs" / "make_shell.py").MADE
COMPLETED = r"""
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
complete=$(complete -p ceremony); complete=${complete##*-F }
${complete%% *} ceremony "${@: -1}" "${@: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def said(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a checker prints on both streams; "" when it finds nothing."""
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=cwd, timeout=60)
    return ended.stderr if ended.returncode == 0 else f"exit {ended.returncode}\n{ended.stderr}"


@pytest.mark.parametrize("name", MADE)
def test_the_file_is_the_one_that_the_parsers_make(name: str) -> None:
    assert (SHELL / name).read_text() == MADE[name](), "make docs"
    assert {path.name for path in SHELL.iterdir()} == set(MADE)


@pytest.mark.parametrize(
    ("tool", "command"),
    [
        ("bash", ["-n", SHELL / "ceremony.bash"]),
        ("zsh", ["-n", SHELL / "_ceremony"]),
        ("fish", ["--no-execute", SHELL / "ceremony.fish"]),
        ("man", ["-l", "--warnings=w", "-E", "UTF-8", "-Tutf8", SHELL / "ceremony.1"]),
    ],
)
def test_the_shells_and_groff_find_nothing_wrong(tool: str, command: list[str | Path]) -> None:
    if shutil.which(tool) is None or (tool == "man" and shutil.which("groff") is None and shutil.which("troff") is None):
        pytest.skip(f"{tool} is not on this machine")
    assert said(tool, *command) == ""


def test_the_man_page_has_every_command_and_every_exit_code() -> None:
    page = (SHELL / "ceremony.1").read_text()
    assert [command for command in COMMANDS if f'.SS "ceremony {command}"\n' not in page] == []
    told = {int(code) for line in page.split(".SH EXIT STATUS")[1].splitlines() if line.startswith(".B ") for code in line[3:].split(",")}
    assert told >= {int(code) for code in ExitCode}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["ceremony", "reh"], {"rehearse"}),
        (["ceremony", "online", "re"], {"request", "retire"}),
        (["ceremony", "verify", "--fing"], {"--fingerprint"}),
        (["ceremony", "check", "LIC"], {"LICENSE"}),
        (["ceremony", "verify", "LIC"], set()),
        (["ceremony", "run", "x.toml", "--dir", "hs"], {"hsm"}),
    ],
)
def test_bash_completes_commands_options_files_and_folders(words: list[str], wanted: set[str]) -> None:
    command = ["bash", "--norc", "-c", COMPLETED, "bash", str(SHELL / "ceremony.bash"), *words]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert set(ended.stdout.split()) == wanted, ended.stderr
