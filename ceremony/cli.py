"""The command line: finds the command, loads only what it needs, and turns every failure into four parts and an exit code."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ceremony.errors import CeremonyError


class Command(NamedTuple):
    """A command: the module that has `add_arguments(parser)` and `run(args, removed) -> int`, and one line about it."""

    module: str
    summary: str


COMMANDS: dict[str, Command] = {
    "check": Command("check", "validate a ceremony script, run it against the model of the world, show the plan"),
    "new": Command("new", "write a script of one's own from a shipped one, by a few questions"),
    "credential": Command("credential", "make a person's own credential, with which they sign in a ceremony"),
    "print": Command("print_script", "the paper script, as PDF or HTML"),
    "run": Command("run", "hold the ceremony"),
    "rehearse": Command("rehearse", "the same on a throw-away token made by this run"),
    "resume": Command("resume", "go on after a pause, a crossing or a crash"),
    "status": Command("status", "where a ceremony stands, and its fingerprint"),
    "export": Command("export", "write a sealed bundle once more, byte for byte"),
    "verify": Command("verify", "check a bundle: anyone, offline, without a token"),
    "history": Command("history", "draw the chain of ceremonies that bundles tell of, and verify it"),
    "duties": Command("duties", "what must be done next for a root, and by when; as a calendar file too"),
    "report": Command("report", "the annotated script and evidence report of a folder or a bundle"),
    "doctor": Command("doctor", "is this machine, terminal, module and token fit, and what to do if not"),
    "tokens": Command("tokens", "the tokens that a module sees"),
    "demo": Command("demo", "watch a whole ceremony on SoftHSM and the DPS simulator"),
    "simulator": Command("simulator", "a Device Provisioning Service on this machine alone, to try the online side on"),
    "online": Command("online", "the online side: request, plan, apply, status, disable, retire"),
    "device": Command("device", "a device's side: register through the provisioning service, connect to the hub"),
    "factory": Command("factory", "the factory's side: request and accept an intermediate, issue device certificates"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command `ceremony`. Returns its exit code; no traceback reaches a user."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in ("--version", "-V"):
        return _told_version()
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        return _without_command(name, arguments)
    from ceremony.machine.hardening import harden

    removed = tuple(harden(os.environ))
    try:
        return _run(name, arguments[1:], removed)
    finally:
        _let_go_of_dead_streams()


def _told_version() -> int:
    from ceremony.built import DISTRIBUTION, build

    print(f"{DISTRIBUTION} {build().version}", *build().lines(), sep="\n")
    return 0


def _let_go_of_dead_streams() -> None:
    """When the terminal is gone, Python's own flush at the end would fail and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(name: str, arguments: list[str], removed: tuple[str, ...]) -> int:
    from ceremony.errors import CeremonyError, unforeseen

    command = importlib.import_module(f"ceremony.commands.{COMMANDS[name].module}")
    parser = argparse.ArgumentParser(
        prog=f"ceremony {name}", description=COMMANDS[name].summary[0].upper() + COMMANDS[name].summary[1:] + "."
    )
    command.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    try:
        return int(command.run(parsed, removed))
    except CeremonyError as failed:
        return _told(failed, parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as failed:  # noqa: BLE001 - the last place: nobody is shown a traceback, whose frames may hold secrets
        return _told(unforeseen(failed), parsed)


def _told(failed: "CeremonyError", parsed: argparse.Namespace) -> int:
    from ceremony.pki.names import shown_text

    record = os.path.join(str(getattr(parsed, "dir", None) or os.devnull), "transcript.jsonl")
    begun = os.path.exists(record) and os.path.getsize(record) > 0
    failed.state = failed.state or ("The record holds all that was announced." if begun else "Nothing was changed.")
    print(*(shown_text(line) for line in failed.lines()), sep="\n", file=sys.stderr)
    if begun:
        print(f"Record: {shown_text(record)}", file=sys.stderr)
    return int(failed.exit_code)


def _without_command(name: str, arguments: list[str]) -> int:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {command:{width}}  {about.summary}" for command, about in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="ceremony",
        usage="ceremony COMMAND [ARGUMENTS]\n       ceremony COMMAND --help",
        description="An offline root key ceremony on a PKCS#11 token.",
        epilog=f"commands:\n{listed}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="store_true", help="show version, commit and the wheel's digest, and exit")
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    if name.startswith("-"):
        parser.parse_args(arguments)
        return 2
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    print(f"ceremony: unknown command {ascii(name)}{meant}. See `ceremony --help`.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
