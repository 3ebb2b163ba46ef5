"""generate-root: the root key comes to be on the token, never outside it (design, rule 1)."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.engine.backed import backed
from ceremony.engine.machine_check import machine_is_fit
from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World
from ceremony.errors import CeremonyError
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import root_profile
from ceremony.steps.carrying_on import carried_on, is_taken_over, of_the_ledger
from ceremony.words import words_of


class GenerateRoot(Step, frozen=True, tag="generate-root"):
    """Key, label and id come from the script's [root] and from chance; each attribute is read back."""

    confirmers = 1

    def requires(self, world: World, script: object) -> Iterable[str]:
        """An open token without a root, a checked machine."""
        if world.root != "absent":
            yield "there is a root key already"
        if world.old_root == "present":
            yield "the old root is not taken up yet: use-root must come before"
        yield from root_use_requires(world)

    def leads_to(self, world: World, script: object) -> World:
        """A root key without a certificate; the login ended with the step."""
        return msgspec.structs.replace(world, root="generated", unlocked=False)

    def run(self, known: Known) -> Run:
        """Orders, generates, shows, and has the key's digest confirmed. In a chain that has roots, takes over their ledger first.

        Raises CeremonyError ROOT-NAME-TAKEN.
        """
        root = known.script.root
        confirmer = self.confirm[0]
        taken_over: dict[str, Any] = {}
        if not is_taken_over(known):
            previous = yield Act(key="previous", verb="read-previous", args={})
            refuse_a_name_taken(known, previous)
            yield from carried_on(previous)
            taken_over = of_the_ledger(previous)
        yield from machine_is_fit("machine", known, self.actor, confirmer)
        key_id = (yield Act(key="key-id", verb="random", args={"length": 16}, login=True))["hex"]
        shown = (
            f"A key of type {root.key} is made on the token, under the label {root.label!r}",
            f"and the id {key_id}. It can sign and nothing else, and never leaves the token.",
        )
        yield Ask(key="order", text="This orders the key: type its label.", by=self.actor, shown=shown, accept=root.label, read_first=True)
        for number, person in enumerate(self.confirm):
            question = "agree" if number == 0 else f"agree/{person}"
            agree = Ask(key=question, text="Do you agree that the key is made now?", by=person, shown=shown, accept="generate")
            yield from backed(known, agree)
        args = {"label": root.label, "key_id": key_id, "key": root.key}
        key = yield Act(
            key="generate",
            verb="generate-key",
            args=args,
            login=True,
            after_crash="destroy-first",
            waiting="Waiting for the token: it makes the key",
        )
        digest = key["public_key_sha256"]
        yield Show(lines=("The root key is on the token.", *attribute_text(key["attributes"])))
        for number, person in enumerate((self.actor, *self.confirm)):
            # Everybody types four words of their own, the ninth person the first four again.
            first = 4 * number % 32
            words = words_of(digest)[first : first + 4]
            text = f"The {'next' if first else 'first'} four words of the public key's digest."
            attributes = attribute_text(key["attributes"])
            seen = Ask(key=f"seen/{person}", text=text, by=person, shown=attributes, digest=digest, accept=" ".join(words))
            if person == self.actor:
                yield seen
            else:
                yield from backed(known, seen)
        return {
            **taken_over,
            "root_public_key": key["public_key"],
            "root_public_key_sha256": digest,
            "root_key_id": key_id,
            "root_key_label": root.label,
            "root_attributes": {name: reading["value"] for name, reading in key["attributes"].items()},
            "root_token": known.products.get("token", {}).get("serial") or known.products.get("root_token", ""),
        }


def refuse_a_name_taken(known: Known, previous: dict[str, Any], but: str | None = None) -> None:
    """The roots of a chain are told apart by label and subject, also when one is long gone; `but` is a subject that may be taken over.

    Raises CeremonyError ROOT-NAME-TAKEN.
    """
    subject = name_text(root_profile(known.script.root, known.script.window.last, known.rehearsal).subject)
    label = known.script.root.label
    if label in previous["root_labels"] or subject in {*previous["root_subjects"]} - {but}:
        what = f"A root of this chain has the label {label} or the subject {shown_text(subject)} already."
        raise CeremonyError("ROOT-NAME-TAKEN", what, state="Nothing was made.")


def key_use_requires(world: World) -> Iterable[str]:
    """What every step that makes or uses the root demands of the world (design, rules 6 and 9), whichever token it logs in to."""
    if world.root == "destroyed":
        yield "the root's key is destroyed"
    yield from room_requires(world)


def room_requires(world: World) -> Iterable[str]:
    """People who were called, the day, and a machine that was looked at."""
    if not world.roll_called:
        yield "no roll-call since the start of the session"
    if not world.clock_checked:
        yield "no check-clock since the start of the session"
    if not world.machine_checked:
        yield "no check-machine since the start of the session"


def root_use_requires(world: World) -> Iterable[str]:
    """The same, and an open token: of a step that uses what the `unlock` before it opened (design, rule 12)."""
    yield from key_use_requires(world)
    if not world.unlocked:
        yield "the token is locked: an unlock must come right before"


def attribute_text(attributes: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """The key's attributes, a line each: what the module asserts and how that fits."""
    lines = ["Attributes, as asserted by the module:"]
    lines += [f"  {name:24} {reading['value']!s:8} {reading['verdict']}" for name, reading in attributes.items()]
    return tuple(lines)
