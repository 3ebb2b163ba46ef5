"""A made-up loop: it asks, tells and asks for secrets as the engine does, and keeps what it got. No token, no record."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ceremony.engine.answers import problem_with
from ceremony.engine.conduct import Stopped
from ceremony.engine.step import Ask, Face, Hidden, Interrupt, Notice, Secret
from ceremony.tui.heading import Heading, StepHeading
from ceremony.words import words_of

PEOPLE = {
    "admin": ("Åse Lindström", "administrator"),
    "officer": ("Bo Larsen", "crypto-officer"),
    "witness-1": ("Carmen Díaz", "witness"),
}
TITLES = (
    "Roll call",
    "Check the clock",
    "Check the machine",
    "Initialise the token",
    "Unlock the token",
    "Generate the root key on the token",
    "Certify the root",
    "Crossing: the root leaves",
    "Import the request",
    "Prove possession to Azure DPS",
    "Sign the intermediates alpha.1 and beta.1",
    "Lock the token",
    "Crossing: proof and intermediates leave",
    "Close",
)
KINDS = ("roll-call", "check-clock", "check-machine", "initialise-token", "unlock", "generate-root", "certify-root")
DIGEST = hashlib.sha256(b"to be signed").hexdigest()
FINGERPRINT = hashlib.sha256(b"sealed").hexdigest()
PAPER_WORDS = words_of(hashlib.sha256(b"paper").digest())[:4]

CERTIFICATE = (
    "Certificate to be signed (decoded from its bytes):",
    "  Version: 3",
    "  Serial number: 4f1c9a7e22b05d6180c3aa94be71f0235d8e6b17",
    "  Signature algorithm: ecdsa-with-SHA384",
    "  Issuer: CN=Example Devices Root CA G1,O=Example,C=NO",
    "  Subject: CN=Example Devices Root CA G1,O=Example,C=NO",
    "  Not before: 2026-11-24 00:00:00 UTC",
    "  Not after: 2046-11-19 00:00:00 UTC (7300 days)",
    "  Public key: EC P-384",
    "    04a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f",
    "    90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f",
    "  Basic constraints (critical): a CA, path length 1",
    "  Key usage (critical): digitalSignature, keyCertSign, cRLSign",
    "  Subject key identifier: 9a7e22b05d6180c3aa94be71f0235d8e6b174f1c",
    "  Authority key identifier: 9a7e22b05d6180c3aa94be71f0235d8e6b174f1c",
    "Difference to the profile: none",
    "Difference to the last of its kind: this is the first",
)


Question = Ask | Secret | Notice | Callable[[Face], None]


@dataclass
class FakeCeremony:
    """A script of questions; call it with a face. `answers` and `interrupts` are what came back; `secrets` its octets."""

    questions: Sequence[Question]
    answers: list[tuple[str, str, str]] = field(default_factory=list)
    interrupts: list[Interrupt] = field(default_factory=list)
    secrets: list[bytes] = field(default_factory=list)
    thread: str = ""

    def __call__(self, face: Face) -> str:
        self.thread = threading.current_thread().name
        for question in self.questions:
            match question:
                case Ask():
                    self._ask(face, question)
                case Secret():
                    self._secret(face, question)
                case Notice():
                    face.tell(question)
                case _:
                    question(face)
        return FINGERPRINT

    def _ask(self, face: Face, ask: Ask) -> None:
        while True:
            reply = face.ask(ask)
            if isinstance(reply, Interrupt):
                self._interrupted(face, reply)
            elif problem := problem_with(ask, reply.value):
                face.tell(Notice(kind="error", lines=(problem,)))
            else:
                self.answers.append((ask.key, reply.value, reply.by))
                return

    def _secret(self, face: Face, secret: Secret) -> None:
        while isinstance(reply := face.secret(secret), Interrupt):
            self._interrupted(face, reply)
        self.secrets.append(bytes(reply))
        reply[:] = bytes(len(reply))

    def _interrupted(self, face: Face, interrupt: Interrupt) -> None:
        self.interrupts.append(interrupt)
        if interrupt.kind == "deviation":
            face.tell(Notice(kind="info", lines=("Deviation recorded: " + interrupt.text,)))
            return
        if interrupt.kind != "abort":
            face.tell(Notice(kind="fingerprint", facts={"fingerprint": FINGERPRINT}))
        raise Stopped(interrupt.kind, 6 if interrupt.kind == "abort" else interrupt.exit_code, interrupt.text)


def heading(*, rehearsal: bool = True) -> Heading:
    """A heading of 14 steps."""
    steps = [StepHeading(number, title) for number, title in enumerate(TITLES, 1)]
    return Heading(title="Example Devices root key ceremony", rehearsal=rehearsal, steps=steps, people=PEOPLE)


def step(number: int, *say: str) -> Notice:
    """The start of a step."""
    return Notice(kind="step-started", step=number, lines=(TITLES[number - 1], *say))


def done(number: int, at: str = "2026-11-24T09:12:30Z") -> Notice:
    """The end of a step."""
    return Notice(kind="step-finished", step=number, time=at)


def token_at_work(face: Face) -> None:
    """A call that takes a while."""
    face.tell(Notice(kind="working", lines=("Generating the root key on the token",)))
    time.sleep(1.5)


ROLL_CALL = Ask(key="present/admin", text="Are you here? Type: present", by="admin", accept="present")
CHOICE = Ask(
    key="after-error",
    text="The act did not succeed. What now?",
    by="admin",
    choices=("pause", "again", "abort"),
    shown=(
        "What happened: The PIN is wrong.",
        "State: Nothing was signed. Two tries are left.",
        "Do now: Read the PIN from its envelope again.",
        "Code: TOKEN-PIN-WRONG",
    ),
)
FROM_PAPER = Ask(
    key="paper",
    text="Type the first four words of the key digest from the paper form.",
    by="witness-1",
    accept=" ".join(PAPER_WORDS),
    blind=True,
)
FREE = Ask(key="bag", text="Which number does the tamper-evident bag carry?", by="officer", least=3)
ORDER = Ask(
    key="order",
    text="Order this certificate to be signed: type the first four words of the digest.",
    by="officer",
    shown=CERTIFICATE,
    digest=DIGEST,
    accept=" ".join(words_of(DIGEST)[:4]),
    order=True,
)
CONFIRM = Ask(
    key="confirm",
    text="Confirm the order: type the next four words of the digest.",
    by="witness-1",
    shown=(),
    digest=DIGEST,
    accept=" ".join(words_of(DIGEST)[4:8]),
)
NEW_PIN = Secret(
    what="New user PIN",
    by="officer",
    twice=True,
    shortest=6,
    longest=16,
    suggestion="918273",
    shown=("The token takes PINs of 6 to 16 bytes.",),
)

SHARE = (
    "academic apart academic acid category elder playoff cinema deliver liberty "
    "dance artwork valuable grill walnut junior recover aide ceiling learn"
)
OTHER_SHARE = (
    "academic apart academic agency alarm sympathy biology sheriff inherit screw "
    "museum victim item forecast welfare example umbrella math worthy pacific"
)
"""Two shares of one set (SLIP-39) that nobody holds."""

OLD_SHARE = Secret(what="Your share of the user PIN", by="officer", kind="share")
PASSPHRASE = Secret(what="The passphrase of your credential", by="witness-1", kind="passphrase", suggestion="rehearsal-passphrase")


def new_share(suggestion: str | None = None) -> Secret:
    """A share that its holder sees for the first time."""
    what = "Your share of the user PIN"
    shown = ("Share 2 of 5; any 3 give it back.", "Write on the paper: user PIN, set 14032, share 2.")
    return Secret(what=what, by="admin", kind="share", reveal=Hidden(bytearray(SHARE.encode())), shown=shown, suggestion=suggestion)


def shares() -> list[Question]:
    """A new share shown and typed back, and one typed from paper."""
    say = "Read aloud: One holder at a time comes to the screen. All others turn away."
    seen = Ask(key="seen", text="Has the screen been cleared?", by="witness-1", choices=("yes", "no"))
    return [step(4, say), new_share(), OLD_SHARE, done(4), step(5), seen]


def codes() -> list[Question]:
    """The fingerprint leaves as QR codes."""
    return [step(8), Ask(key="qr", text="Were the QR codes read?", by="admin", choices=("read", "not read"), qr=FINGERPRINT.upper())]


def sha256(octets: bytes) -> str:
    """What a test may print of a secret."""
    return hashlib.sha256(octets).hexdigest()


SAY_ROLL_CALL = (
    "Read aloud: Everybody in this room says their name and role. From now on nobody leaves alone.",
    "Phones and watches are in the box outside the door.",
)
FINDINGS = Notice(
    kind="info",
    lines=(
        "OK      no route to any network",
        "OK      no live interface but loopback",
        "FOUND   swap is on: /dev/sda2. In a rehearsal this is shown and recorded, and does not block.",
        "UNKNOWN radios: this system does not tell",
    ),
)
MADE = Notice(
    kind="info",
    lines=("The key was made: example-root-g1, EC P-384.", "SENSITIVE true, EXTRACTABLE false (as asserted by the module)"),
)
STATUS = Notice(kind="status", facts={"token": "7d5f1a20c3b49e86", "air gap": "1 finding"})


def whole() -> FakeCeremony:
    """A short ceremony with one of everything."""
    return FakeCeremony(
        [
            step(1, *SAY_ROLL_CALL),
            ROLL_CALL,
            done(1),
            step(3, "Read aloud: The machine is looked at for ways out."),
            FINDINGS,
            STATUS,
            Ask(key="seen", text="Has everybody seen the findings?", by="witness-1", choices=("yes", "no")),
            done(3),
            step(4, "Read aloud: The token is made ready. The PIN is typed by its holder alone."),
            NEW_PIN,
            done(4),
            step(6, "Read aloud: The root key is now made inside the token, and never leaves it."),
            token_at_work,
            MADE,
            FREE,
            done(6),
            step(7, "Read aloud: The root signs its own certificate. Look at every line before anybody types."),
            ORDER,
            CONFIRM,
            done(7),
            step(8, "Read aloud: The fingerprint goes onto paper."),
            Notice(kind="fingerprint", facts={"fingerprint": FINGERPRINT}),
            Ask(key="written", text="Does it stand on everybody's paper? Type: written", by="witness-1", accept="written"),
            FROM_PAPER,
            done(8),
        ]
    )
