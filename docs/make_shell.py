"""Writes docs/shell/: the man page, and completions for bash, zsh and fish, from the parsers of the commands. `make docs` runs it.

With `--compare` it writes nothing, and fails where they differ.

The completions are shtab's; what it can't know, which argument is a file and which a folder, is told here.
"""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import shtab

from ceremony.cli import COMMANDS

SHELL = Path(__file__).parent / "shell"
_FOLDERS = {"dir", "folder", "inbox", "outbox", "bundle", "bundles", "source", "previous", "out", "csrs", "credentials"}
_FOLDER_NAMES = {"DIR", "OUT", "BUNDLE", "FOLDER"}


def whole_parser() -> argparse.ArgumentParser:
    """One parser with every command below it, as the command line would make them one by one."""
    parser = argparse.ArgumentParser(prog="ceremony", description="An offline root key ceremony on a PKCS#11 token.")
    parser.add_argument("-V", "--version", action="store_true", help="show version, commit and the wheel's digest, and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        module = importlib.import_module(f"ceremony.commands.{command.module}")
        module.add_arguments(commands.add_parser(name, help=command.summary, description=command.summary))
    return parser


def below(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Name, summary and parser of each command of a parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, command in action.choices.items():
                yield name, summaries.get(name, ""), command


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a parser takes itself, `--help` and its commands aside."""
    others = (argparse._HelpAction, argparse._SubParsersAction)
    return [action for action in parser._actions if not isinstance(action, others) and action.help != argparse.SUPPRESS]


def completion(shell: str) -> str:
    """The completion script of "bash", "zsh" or "fish"."""
    parser = whole_parser()
    waiting = [parser]
    while waiting:
        one = waiting.pop()
        waiting += [command for _, _, command in below(one)]
        for action in arguments(one):
            if action.type in (Path, os.fspath):
                folder = action.dest in _FOLDERS or action.metavar in _FOLDER_NAMES
                action.complete = shtab.DIRECTORY if folder else shtab.FILE  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in shtab.complete(parser, shell).splitlines()) + "\n"


def man_page() -> str:
    """ceremony(1), in the macros of man(7)."""
    parser = whole_parser()
    lines = [
        ".\\\" Made by docs/make_shell.py from the commands' parsers.",
        '.TH CEREMONY 1 "" "root\\-ceremony" "User Commands"',
        ".ad l",
        ".nh",
        ".SH NAME",
        "ceremony \\- an offline root key ceremony on a PKCS#11 token",
        ".SH SYNOPSIS",
        ".B ceremony",
        "\\fICOMMAND\\fR [\\fIARGUMENTS\\fR]",
        ".br",
        ".B ceremony",
        "\\fICOMMAND\\fR \\fB\\-\\-help\\fR",
        ".br",
        ".B ceremony \\-\\-version",
        ".SH DESCRIPTION",
        "Leads people through an offline root key ceremony, and leaves a record that anyone can verify.",
        "Data goes to stdout, talk to stderr.",
        "No secret is taken from an argument or from the environment.",
        ".SH COMMANDS",
    ]
    for name, summary, command in below(parser):
        lines += _command(f"ceremony {name}", summary, command)
    lines += [".SH EXIT STATUS"]
    for code, meaning in exit_codes():
        lines += [".TP", f".B {code}", _escaped(meaning)]
    lines += [
        ".SH SEE ALSO",
        "README.md and docs/ of the source: the operators' guide, the auditor's guide, the formats, the threat model.",
    ]
    return "\n".join(lines) + "\n"


def exit_codes() -> list[tuple[str, str]]:
    """The rows of the README's table of exit codes."""
    table = (SHELL.parent.parent / "README.md").read_text(encoding="utf-8").split("## Exit codes\n")[1].split("\n\n")[0]
    rows = re.findall(r"^\| ([\d, ]+) \| (.*) \|$", table, re.MULTILINE)
    return [(codes, meaning.replace("`", "")) for codes, meaning in rows]


def _command(name: str, summary: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    verbs = list(below(parser))
    yield f'.SS "{_escaped(name)}"'
    yield _escaped(summary[:1].upper() + summary[1:] + ".")
    if not verbs:
        yield ".PP"
        yield f"\\fB{_escaped(name)}\\fR {' '.join(_synopsis(action) for action in _in_order(parser))}".rstrip()
    for action in _in_order(parser):
        yield ".TP"
        yield _names(action)
        yield _escaped(_help(action, parser)) or "\\&"
    for verb, about, below_it in verbs:
        yield from _command(f"{name} {verb}", about, below_it)


def _in_order(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What has no dashes first, as it is typed."""
    return sorted(arguments(parser), key=lambda action: bool(action.option_strings))


def _metavar(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    named = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper())
    breakable = _escaped(str(named)).replace(",", ",\\:")
    return f"\\fI{breakable}\\fR"


def _synopsis(action: argparse.Action) -> str:
    several = " ..." if action.nargs in ("+", "*") or isinstance(action, argparse._AppendAction) else ""
    if not action.option_strings:
        needed = f"{_metavar(action)}{several}"
        return f"[{needed}]" if action.nargs in ("?", "*") else needed
    option = f"\\fB{_escaped(action.option_strings[-1])}\\fR {_metavar(action)}".rstrip()
    return f"{option}{several}" if action.required else f"[{option}]{several}"


def _names(action: argparse.Action) -> str:
    if not action.option_strings:
        return _metavar(action)
    options = ", ".join(rf"\fB{_escaped(option)}\fR" for option in action.option_strings)
    return f"{options} {_metavar(action)}".rstrip()


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    told = (action.help or "") % {**vars(action), "prog": parser.prog}
    begins = told[:1].upper() if told.split(" ")[0].isalpha() else told[:1]
    return f"{begins}{told[1:]}{'' if told.endswith('.') or not told else '.'}"


def _escaped(text: str) -> str:
    """Text as groff takes it literally (groff_char(7)): dashes that can be copied, no escape, no request at a line's start."""
    literal = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq").replace("`", "\\(ga")
    literal = literal.replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{literal}" if literal[:1] in (".", "'") else literal


MADE = {
    "ceremony.bash": lambda: completion("bash"),
    "_ceremony": lambda: completion("zsh"),
    "ceremony.fish": lambda: completion("fish"),
    "ceremony.1": man_page,
}
"""Every file of docs/shell/, and what makes it."""

if __name__ == "__main__":
    if sys.argv[1:] == ["--compare"]:
        old = [name for name, made in MADE.items() if (SHELL / name).read_text(encoding="utf-8") != made()]
        sys.exit(f"docs/shell/: {', '.join(old)}: not as the parsers are; type `make docs`" if old else 0)
    for name, made in MADE.items():
        (SHELL / name).write_text(made(), encoding="utf-8")
