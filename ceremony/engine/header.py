"""What the header of a screen shows of what was done."""

from typing import Any


def header_facts(verb: str, value: dict[str, Any], time: str) -> dict[str, str]:
    """Of a result: the token in use, and how cut off the machine was when (`time` RFC 3339)."""
    if verb == "check-machine":
        found = sum(finding["verdict"] == "found" for finding in value["findings"])
        return {"air gap": f"{f'{found} FOUND' if found else 'ok'} {time[11:16]}Z"}
    token = value if "pin_tries" in value or verb == "leave-token" else value.get("token", {})
    return {"token": token["serial"] or "blank"} if token else {}
