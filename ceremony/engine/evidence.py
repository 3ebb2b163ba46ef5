"""How the key generation is witnessed: what a script must have for the kind of evidence it names.

The kinds are those of the public rules: a qualified auditor who is there, or a video of the whole key generation (Baseline Requirements
6.1.1.1), or an independent witness (ETSI EN 319 411-1 GEN-6.5.1-14).
"""

from collections.abc import Iterator
from typing import Any

WITNESSING = ("witness", "auditor")
"""Roles that see what is done without a part in doing it."""


def problems_with_evidence(script: Any) -> Iterator[tuple[str, str]]:
    """The key path, and what is missing for `evidence`; nothing for a script that makes no root key."""
    roles = {participant.id: participant.role for participant in script.participants}
    filmed = stopped = False
    made = 0
    for number, step in enumerate(script.steps, 1):
        kind = str(step.__struct_config__.tag)
        if kind == "generate-root":
            made = number
            confirming = {roles.get(id) for id in step.confirm}
            if script.evidence == "qualified-auditor" and "auditor" not in confirming:
                yield (
                    f"steps[{number}].confirm",
                    "evidence = 'qualified-auditor' wants an auditor among those who confirm the key generation",
                )
            if script.evidence == "witness" and confirming.isdisjoint(WITNESSING):
                yield (
                    f"steps[{number}].confirm",
                    "evidence = 'witness' wants a witness or an auditor among those who confirm the key generation",
                )
            if script.evidence == "video" and not filmed:
                yield (
                    f"steps[{number}]",
                    "evidence = 'video' wants a step of kind record before this one that writes down the camera's start (video-start)",
                )
        for fact in step.facts if kind == "record" else ():
            filmed = fact.what == "video-start" or (filmed and fact.what != "video-stop")
            stopped = stopped or (made > 0 and fact.what == "video-stop")
        if kind in ("crossing", "close") and made and not stopped and script.evidence == "video":
            yield (
                f"steps[{number}]",
                "evidence = 'video' wants a step of kind record before this one that writes down the camera's stop (video-stop)",
            )
            stopped = True
