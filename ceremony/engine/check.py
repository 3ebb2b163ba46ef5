"""Runs a script against the model of the world: every step that cannot hold is told, all at once."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ceremony.activation.arrangement import PIN_NAMES
from ceremony.engine.step import Step, World


def beginning(script: Any) -> World:
    """The world that the script says it starts from."""
    if script.roll_over:
        return World(token=script.world.token, root="absent", old_root="present")
    return World(token=script.world.token, root=script.world.root)


def after(step: Step, world: World, script: Any) -> World:
    """The world after this step: what the step leads to, and the login ended with it (design, rule 12)."""
    world = step.leads_to(world, script)
    return world if step.keeps_login else msgspec.structs.replace(world, unlocked=False)


def impossible_steps(script: Any) -> Iterator[tuple[int, str]]:
    """The number of each step that cannot hold (from 1), and why. A problem is told, then its step is taken as done."""
    world = beginning(script)
    for number, step in enumerate(script.steps, 1):
        if world.closed:
            yield number, "comes after the ceremony is closed"
        for problem in step.requires(world, script):
            yield number, problem
        world = after(step, world, script)
    if not world.closed:
        yield len(script.steps), "the last step must be of kind close: it signs off, seals, exports and tears down"
    for which in sorted(script.activation.changes - world.changed_pins):
        yield len(script.steps), f"no change-activation changes the {PIN_NAMES[which]} from [activation.before] to [activation]"
    for name in sorted({entry.name for entry in script.intermediates} - world.intermediates):
        yield len(script.steps), f"no step signs the intermediate {name!r}"
    for service in sorted({entry.service for entry in script.proofs} - world.proofs):
        yield len(script.steps), f"no step proves possession to {service!r}"
    if (script.crl or script.revoke) and not world.crl:
        yield len(script.steps), "no step issues the CRL that [crl] and [[revoke]] speak of"
    if script.roll_over and not world.cross:
        yield len(script.steps), "no step cross-certify has the roots of [roll_over] and [root] certify each other"
