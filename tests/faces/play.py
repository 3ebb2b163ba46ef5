"""The made-up ceremony in a real terminal: `python -m tests.faces.play [app|plain|play|crash|crash-loop] [share|qr]`.

Prints what came of it.
"""

import os
import sys

from textual.widgets import Input

from ceremony.engine.conduct import Stopped
from ceremony.engine.step import Face
from ceremony.errors import CeremonyError
from ceremony.plain import Plain
from ceremony.tui.app import run_app
from ceremony.tui.secret_entry import SecretEntry
from ceremony.unattended import Answers, Unattended
from tests.faces import fake_ceremony


def main(face: str, what: str = "") -> int:
    """Plays it, or with `share` two shares alone, with `qr` a fingerprint that leaves; the exit code is the ceremony's."""
    conduct = fake_ceremony.whole()
    if what:
        conduct.questions = fake_ceremony.shares() if what == "share" else fake_ceremony.codes()
    try:
        if face == "plain":
            plain = Plain(fake_ceremony.PEOPLE)
            with plain.signals():
                conduct(plain)
        else:
            if face == "crash":
                fail_in_the_handler_of_the_pin()
                secret = fake_ceremony.OLD_SHARE if what == "share" else fake_ceremony.NEW_PIN
                conduct.questions = [fake_ceremony.step(4), secret]
            if face == "crash-loop":
                conduct.questions = [fake_ceremony.step(4), fail_in_the_loop]
            plan = Unattended(Answers(answers={"6/bag": "BAG-0042"}), tell=lambda line: None) if face == "play" else None
            run_app(conduct, heading=fake_ceremony.heading(), autoplay=plan)
    except CeremonyError as failed:
        say("\n".join(failed.lines()))
        return failed.exit_code
    except Stopped as stopped:
        say(f"stopped: {stopped.reason} {stopped.exit_code} {conduct.interrupts}")
        return stopped.exit_code
    say(f"done: {conduct.answers} {[fake_ceremony.sha256(secret) for secret in conduct.secrets]}")
    return 0


def say(text: str) -> None:
    """Prints; when the terminal is gone, lets go of it, so that the exit code is the ceremony's and not the last flush's."""
    try:
        print(text, flush=True)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)


def fail_in_the_handler_of_the_pin() -> None:
    """As a bug would: the handler of the PIN fails while a variable holds it, and the error's message quotes it."""

    def on_input_submitted(self: SecretEntry, event: Input.Submitted) -> None:
        user_pin = event.value
        int(f"a bug in the handler, which says {user_pin}")

    SecretEntry.on_input_submitted = on_input_submitted  # type: ignore[method-assign]  # the bug that is tried


def fail_in_the_loop(face: Face) -> None:
    """As a bug would: the loop fails while a variable holds the PIN, and the error's message quotes it."""
    user_pin = face.secret(fake_ceremony.NEW_PIN)
    assert isinstance(user_pin, bytearray)
    int(f"a bug in the loop, which says {user_pin.decode()}")


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or ["app"])))
