"""Every command there is, from the parsers; which secrets it meets, and the tests that look for them afterwards."""

import argparse
import importlib
from collections.abc import Iterator
from typing import NamedTuple

from ceremony.cli import COMMANDS

PIN, SO_PIN, SHARE = "user PIN", "SO PIN", "share"
CREDENTIAL, FACTORY, DEVICE, EXPORTED = (
    f"passphrase of {what}" for what in ("a credential", "a factory's key", "a device's key", "new files")
)
TOKEN = "Azure's token"

CEREMONY = {PIN, SO_PIN, SHARE, CREDENTIAL}
RUN_HERE = "sentinels/test_sentinels.py::test_no_secret_stays_anywhere"
IN_A_TERMINAL = "e2e/test_secrets.py::test_a_crash_shows_no_pin"
SHARES = "faces/test_shares.py::test_no_word_is_left_in_a_terminal"
MEMORY = "sentinels/test_memory.py::test_line_mode_keeps_no_pin_in_its_memory"
QUORUM = "e2e/test_quorum_ceremony.py::test_unattended_and_in_the_app_it_is_the_same_ceremony"
TOKENS = "online/test_tokens.py::test_sentinel_is_in_no_output_log_or_file"
OTHER_TOKENS = "online/test_tokens.py::test_sentinel_is_in_nothing_that_the_other_commands_leave"
ERRORS = "online/test_tokens.py::test_no_answer_and_no_bug_brings_a_token_out"


class Meets(NamedTuple):
    """The secrets that a command gets to see, and tests by their names below `tests`; none for a command that asks for no secret."""

    secrets: set[str]
    tests: tuple[str, ...] = ()


MEETS: dict[str, Meets] = {
    "check": Meets(set()),
    "new": Meets(set()),
    "credential new": Meets({CREDENTIAL, PIN}, (RUN_HERE, "test_credential.py::test_a_credential_in_a_file")),
    "credential show": Meets(set()),
    "print": Meets(set()),
    # What differs from a rehearsal is where the PIN goes; SoftHSM is refused before anything is asked.
    "run": Meets(CEREMONY, ("sentinels/test_sentinels.py::test_a_production_ceremony_keeps_no_secret", IN_A_TERMINAL, SHARES)),
    "rehearse": Meets(CEREMONY, (RUN_HERE, IN_A_TERMINAL, SHARES, MEMORY, QUORUM)),
    "resume": Meets(CEREMONY, (RUN_HERE,)),
    "status": Meets(set()),
    "export": Meets(set()),
    "verify": Meets(set()),
    "history": Meets(set()),
    "duties": Meets(set()),
    "report": Meets(set()),
    "doctor": Meets(set()),
    "tokens": Meets(set()),
    # Made-up ones, and a person may take over and type their own.
    "demo": Meets({*CEREMONY, TOKEN}, (IN_A_TERMINAL, SHARES, TOKENS)),
    "simulator": Meets({TOKEN}, ("simulator/test_what_is_kept.py::test_no_token_is_kept_or_written",)),
    "online request": Meets({TOKEN}, (OTHER_TOKENS, ERRORS)),
    "online plan": Meets({TOKEN}, (TOKENS, ERRORS)),
    "online apply": Meets({TOKEN}, (TOKENS, ERRORS)),
    "online status": Meets({TOKEN}, (OTHER_TOKENS, ERRORS)),
    "online disable": Meets({TOKEN}, (OTHER_TOKENS, ERRORS)),
    "online retire": Meets({TOKEN}, (OTHER_TOKENS, ERRORS)),
    "device register": Meets({DEVICE, TOKEN}, (RUN_HERE,)),
    "device connect": Meets({DEVICE, TOKEN}, (RUN_HERE,)),
    "factory request": Meets({FACTORY, PIN}, (RUN_HERE, "factory/test_secret.py::test_a_passphrase_is_typed_twice_and_not_shown")),
    "factory accept": Meets(set()),
    "factory status": Meets(set()),
    "factory issue": Meets({FACTORY, PIN, EXPORTED}, (RUN_HERE,)),
}  # fmt: skip
"""The table that docs/threat-model.md speaks of."""


def commands() -> Iterator[str]:
    """Each command by its whole name, as the parsers have it: "online plan"."""
    for name, command in COMMANDS.items():
        parser = argparse.ArgumentParser()
        importlib.import_module(f"ceremony.commands.{command.module}").add_arguments(parser)
        below = [verb for action in parser._actions if isinstance(action, argparse._SubParsersAction) for verb in action.choices]
        yield from (f"{name} {verb}" for verb in below) if below else (name,)
