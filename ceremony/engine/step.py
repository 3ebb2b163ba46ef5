"""The engine's vocabulary. A step kind is a generator that yields these values; all of them are JSON.

Nothing here reads a clock, a disk, a token or a generator of random numbers: those come in as results of acts.
"""

from collections.abc import Generator, Iterable, Sequence
from typing import Any, ClassVar, Literal, Protocol

import msgspec

from ceremony.activation.arrangement import HeldPin, Which
from ceremony.errors import CeremonyError


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A question to one person.

    `key` is unique within the step. `shown` is what to read first, a line each. `digest` is SHA-256 hex,
    shown as evidence. An answer fits when it is `accept`, which must be typed back (case and white space do
    not matter), or one of `choices`; with neither, free text of at least `least` characters, in the `form` of
    a physical fact (ceremony.custody) where one is named. When `blind`, the screen must not show `accept`: it
    stands on paper; nor does it keep what was answered, which another person types as well. `order` marks the
    deliberate command to sign; it, and a question to be `read_first`, is answered when all of `shown` was in view.
    `qr` is a text that the face draws as QR codes; of it the record holds `digest` alone.
    `name` is who answers, where this very step called them; else the last roll-call says it.
    """

    key: str
    text: str
    by: str
    name: str = ""
    shown: tuple[str, ...] = ()
    digest: str | None = None
    accept: str | None = None
    blind: bool = False
    choices: tuple[str, ...] = ()
    least: int = 0
    form: str = ""
    order: bool = False
    read_first: bool = False
    qr: str = ""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Something the room does: `intent` is written before it, `result` after it.

    `login` says that the token must be unlocked. `after_crash` says what an intent without a result means
    once the room has looked and found nothing to adopt: `repeat` (harmless), `order-again` (a signature:
    the same bytes after a new order, or given up), `destroy-first` (what an unrecorded act left is
    destroyed by two people, then done anew; every failure of such an act counts as an interruption), `look-first` (what was done
    is adopted where the room finds it, else done).
    `waiting` is what the screen says meanwhile.
    """

    key: str
    verb: str
    args: dict[str, Any] = {}
    login: bool = False
    after_crash: Literal["repeat", "order-again", "destroy-first", "look-first"] = "repeat"
    order_by: tuple[str, ...] = ()
    waiting: str = ""


class Acts(msgspec.Struct, frozen=True, kw_only=True):
    """Acts that may each be done again without harm (`repeat`), done as one group; the step receives their results in a list.

    All their intents are on the disk before the first is done, and all that they wrote before the first result is. The first
    that fails ends the group; the rest are then done one by one.
    """

    acts: tuple[Act, ...]

    def __post_init__(self) -> None:
        """Raises ValueError for an act that needs more care after a crash: those are done one at a time (rule 7)."""
        if any(act.after_crash != "repeat" for act in self.acts):
            raise ValueError("only acts that may be done again go together")


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """A line of its own type for the record: a deviation, a sign-off, a seal, a pause, the end.

    The step receives the line's SHA-256 (hex). `paused` ends the session after it is written.
    """

    key: str
    type: Literal["deviation", "signed-off", "sealed", "paused", "closed"]
    data: dict[str, Any]
    by: str | None = None


class Show(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be seen that needs no answer; not recorded. `fingerprint` is hex and is to be written on paper."""

    lines: tuple[str, ...] = ()
    fingerprint: str | None = None


class Hidden:
    """Octets for the eyes of one person: no representation, comparison or message shows them. Who made it wipes them."""

    __slots__ = ("octets",)

    def __init__(self, octets: bytearray) -> None:
        self.octets = octets

    def __repr__(self) -> str:
        return "Hidden(...)"


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """Activation data that a person types: never an answer, never recorded.

    `kind` says how it is typed: a `pin` and a `passphrase` in one go, unseen; a `share` (SLIP-39) word by word. `reveal` is
    a new share, its words with a space between: shown to `by` alone until it stands on paper, cleared, then typed back.
    `twice` asks for it two times; `suggestion` is what a rehearsal offers, so that no real one is typed.
    `shortest` and `longest` are the token's limits in bytes.
    """

    what: str
    by: str
    kind: Literal["pin", "share", "passphrase"] = "pin"
    twice: bool = False
    shortest: int = 1
    longest: int = 255
    shown: tuple[str, ...] = ()
    suggestion: str | None = None
    reveal: Hidden | None = None


class Answer(msgspec.Struct, frozen=True):
    """What a person answered, and who (a participant's id)."""

    value: str
    by: str


class Interrupt(msgspec.Struct, frozen=True, kw_only=True):
    """What comes in where an answer was awaited: a pause, an abort, a deviation to note, or the end by a signal."""

    kind: Literal["pause", "abort", "deviation", "signal"]
    text: str = ""
    by: str = ""
    exit_code: int = 0


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a face is told. `step-started` and `step-finished` carry the step's number; `status` carries facts for the header."""

    kind: Literal["step-started", "step-finished", "working", "info", "error", "fingerprint", "status", "ended"]
    lines: tuple[str, ...] = ()
    step: int | None = None
    time: str = ""
    facts: dict[str, str] = {}


class Face(Protocol):
    """Where people are: the app, the line mode, the unattended run. Thin: it only asks and tells."""

    def ask(self, ask: Ask) -> Answer | Interrupt:
        """Puts the question and waits for the answer. The engine checks it and asks again when it does not fit."""

    def tell(self, notice: Notice) -> None:
        """Shows a notice; returns at once."""

    def secret(self, secret: Secret) -> bytearray | Interrupt:
        """Asks for activation data; the caller wipes what it gets. Typed twice and within the limits when it comes back."""


class Room(Protocol):
    """Everything impure: token, media, clock, folder."""

    @property
    def unlocked(self) -> bool:
        """Whether somebody is logged in to the token now; never raises."""

    def describe(self) -> dict[str, Any]:
        """Machine, system, program and module as they are now, for `opened` and `resumed`."""

    def do(self, act: Act, secret: "AskSecret", insist: bool) -> dict[str, Any]:
        """Does the act and returns its result as JSON; `insist`: also with the last try of a PIN. Raises CeremonyError."""

    def do_all(self, acts: Sequence[Act], secret: "AskSecret") -> tuple[list[dict[str, Any]], CeremonyError | None]:
        """Does them in order until one fails: the results of those done, when all that they wrote is on the disk, and the failure."""

    def look_for(self, act: Act) -> dict[str, Any] | None:
        """After an intent without a result: the result, if the act was done and can be adopted."""

    def left_by(self, act: Act) -> dict[str, Any] | None:
        """After an intent without a result: what the act left that must be destroyed before it is done anew; None if nothing."""

    def undo(self, act: Act, secret: "AskSecret") -> None:
        """Destroys what `left_by` told of. Raises CeremonyError."""

    def unlock(self, secret: "AskSecret", insist: bool, pin: "PinInForce", givers: tuple[str, ...]) -> dict[str, Any]:
        """Logs in to the token with the user PIN; `insist`: also on the last try. Raises CeremonyError.

        `pin` is how the user PIN is held now; `givers` are the participants who give their share, nobody where it is not shared.
        """

    def lock(self) -> None:
        """Logs out; never raises."""


class AskSecret(Protocol):
    """How the room asks for activation data; raises Interrupted when somebody would rather stop."""

    def __call__(self, secret: Secret) -> bytearray:
        """Activation data within the limits; the caller wipes it."""


class Interrupted(Exception):
    """Carries an Interrupt out of the room to the loop."""

    def __init__(self, interrupt: Interrupt) -> None:
        super().__init__(interrupt.kind)
        self.interrupt = interrupt


class PinInForce(HeldPin, frozen=True, kw_only=True):
    """How a PIN is held now. `set` is the identifier of its shares (SLIP-39); None where there are none, or it is not known."""

    which: Which
    set: int | None = None


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What is true between two steps, as `ceremony check` models it. Facts first, then resources.

    A root that is `present` is one of an earlier ceremony, not taken up yet by `use-root`. In a roll-over that is `old_root`, and `root`
    the new one; `cross`: they have certified each other. `changed_pins` ("user", "so") are
    those that a change-activation has changed. Resources (unlocked, machine_checked, clock_checked, roll_called) are gone after
    a pause. `taken_out` are things out of their place of keeping, `counted_in` what was counted in and not out, both by name;
    `filmed`: a camera runs.
    """

    token: Literal["blank", "ready", "wiped"] = "blank"
    changed_pins: frozenset[str] = frozenset()
    root: Literal["absent", "present", "generated", "certified", "destroyed"] = "absent"
    old_root: Literal["none", "present", "taken-up"] = "none"
    cross: bool = False
    requests: bool = False
    proofs: frozenset[str] = frozenset()
    intermediates: frozenset[str] = frozenset()
    crl: bool = False
    unsealed: bool = False
    crossed: bool = False
    closed: bool = False
    taken_out: frozenset[str] = frozenset()
    counted_in: frozenset[str] = frozenset()
    filmed: bool = False
    unlocked: bool = False
    machine_checked: bool = False
    clock_checked: bool = False
    roll_called: bool = False


class Person(msgspec.Struct, frozen=True):
    """Who fills a place in this session: name and role, and whether as an alternate."""

    name: str
    role: str
    stands_in: bool = False


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a step may know: the script, the products of finished steps, and what kind of ceremony this is.

    `opened` is the data of the first line; `step` is this step's number, from 1; `people` are those who are
    here, by participant's id; `artifacts` and `seals` (hex) are those of this ceremony so far, in order.
    """

    script: Any
    products: dict[str, Any]
    opened: dict[str, Any]
    step: int
    people: dict[str, Person] = {}
    artifacts: tuple[dict[str, Any], ...] = ()
    seals: tuple[str, ...] = ()
    deviations: int = 0

    @property
    def rehearsal(self) -> bool:
        """Whether this is a rehearsal, as the first line says."""
        return bool(self.opened["rehearsal"])

    def person(self, id: str) -> Person:
        """Who fills this place today; before the roll-call, who the script says."""
        found: Person = self.people.get(id) or self.script.person(id)
        return found

    def credential(self, id: str) -> str:
        """The credential of who fills this place today, as roster text: the script's, or in a rehearsal the made-up one."""
        name = self.person(id).name
        return str(self.opened["credentials"][id][name] if self.rehearsal else self.script.credential(id, name))


Request = Ask | Act | Acts | Write | Show
Products = dict[str, Any]
Run = Generator[Request, Any, Products]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", rename="kebab", kw_only=True):
    """A numbered entry of the script. Each kind is a subclass in a file of its own under `ceremony/steps`."""

    title: str
    say: str = ""
    actor: str
    confirm: tuple[str, ...] = ()

    keeps_login: ClassVar[bool] = False
    """Whether the token stays unlocked when the step ends; true of `unlock` alone (design, rule 12)."""

    confirmers: ClassVar[int] = 0
    """How many people besides the actor this kind cannot do without."""

    calls_the_roll: ClassVar[bool] = False
    """Whether it says anew who is here; true of `roll-call` alone."""

    @property
    def opens(self) -> Which | None:
        """The PIN that it logs in with."""
        return None

    @property
    def hands_out(self) -> frozenset[Which]:
        """The PINs that it makes anew: their holders get their shares in it."""
        return frozenset()

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """What cannot hold when this step begins in this world, each in words; nothing when all is well."""
        return ()

    def leads_to(self, world: World, script: Any) -> World:
        """The world after this step."""
        return world

    def run(self, known: Known) -> Run:
        """Yields requests, receives their results, returns what later steps may know. Deterministic: it is replayed on resume."""
        # Not an abstract method: ABCMeta conflicts with the metaclass of msgspec's structs. `AnyStep` lists only kinds that have it.
        raise NotImplementedError(self)
