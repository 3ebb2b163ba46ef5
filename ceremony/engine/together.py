"""A group of acts that may each be done again: intents on the disk together, then the acts, then their results (see Acts)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ceremony.engine.step import Act, Notice

if TYPE_CHECKING:
    from ceremony.engine.conduct import Session


def done_together(session: "Session", acts: Sequence[Act]) -> list[dict[str, Any]]:
    """The results of all, in their order.

    What fails, what comes after it, and what an interruption left is settled one by one, as each would be alone.
    """
    if not acts:
        return []
    session.require_nothing_else_open(*acts)
    if session.undecided:
        return [session.act(act) for act in acts]
    of_token = next((act for act in acts if act.login), acts[0])
    session.look_at_machine_for(of_token)
    session.log_in_for(of_token)
    for act in acts:
        session.append("intent", {"key": act.key, "verb": act.verb, "args": act.args}, flush=False)
    # Whatever is told is told of a record that is on the disk: the intents are there before the first act.
    session.face.tell(Notice(kind="working", lines=(of_token.waiting or f"Waiting: {of_token.verb}, {len(acts)} times",)))
    values, failed = session.room.do_all(acts, session.secret)
    for act, value in zip(acts, values, strict=False):
        session.record(act, value)
    if failed is None:
        return values
    left = acts[len(values) :]
    if not failed.outcome_unknown:
        session.record_failure(left[0], failed)
    session.insist = session.decide(failed)
    return values + [session.act(act) for act in left]
