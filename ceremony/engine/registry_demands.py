"""What Azure Device Registry would refuse, told while the script is checked: before there is a root or a CSR."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from ceremony.errors import CeremonyError
from ceremony.pki.device_registry import problems_with_planned_issuing_ca, problems_with_planned_root
from ceremony.pki.names import parse_name
from ceremony.pki.profiles import intermediate_profile, root_profile


def problems_with_device_registry(script: Any) -> Iterator[tuple[str, str]]:
    """Key path and words for all that a script's intermediates with `device_registry` lack, as of the end of the window's last day.

    A root or profile that can't be at all is told elsewhere, and passed over here.
    """
    entries = [(number, entry) for number, entry in enumerate(script.intermediates, 1) if entry.device_registry]
    if not entries:
        return
    places = [entry.device_registry.lower() for _, entry in entries]
    for place in sorted({place for place in places if places.count(place) > 1}):
        yield "intermediates", f"the policy {place!r} stands twice"
    try:
        root = root_profile(script.root, script.window.last, rehearsal=False)
        handed_over = dt.datetime.combine(script.window.last, dt.time(), dt.UTC) + dt.timedelta(days=1)
    except (CeremonyError, OverflowError):
        return
    for problem in problems_with_planned_root(root, handed_over):
        yield "root", f"Azure Device Registry does not take it: {problem}"
    for number, entry in entries:
        try:
            table = script.profiles[entry.profile]
            issuing_ca = intermediate_profile(table, parse_name(table.subject.replace("*", "any")), root, script.window.last)
        except (KeyError, CeremonyError, OverflowError):
            continue
        for problem in problems_with_planned_issuing_ca(issuing_ca, handed_over):
            yield f"intermediates[{number}]", f"Azure Device Registry does not take what the profile {entry.profile!r} makes: {problem}"
