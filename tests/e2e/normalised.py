"""What two runs of one ceremony must have alike."""

import json
import re
from pathlib import Path
from typing import Any

from ceremony.words import words_of
from tests.e2e.held import lines_of

_WORD = "|".join(sorted({word for byte in range(256) for word in words_of(bytes([byte, byte]))}, key=len, reverse=True))


def normalised(folder: Path) -> list[Any]:
    """The record without what differs from run to run: times, boots, random values and what follows from them, the folder's place."""
    text = json.dumps([{"type": line.type, "step": line.step, "actor": line.actor, "data": line.data} for line in lines_of(folder)])
    text = text.replace(str(folder.resolve()), "D").replace(str(folder), "D")
    text = re.sub(r"-----BEGIN (CERTIFICATE(?: REQUEST)?)-----.*?-----END \1-----\\n", "<certificate>", text)
    text = re.sub(r"-[0-9a-f]{8}\.(tbs|sig)", r"-<serial>.\1", text)
    text = re.sub(r"\b[0-9A-F]{48}\b", "<code>", text)
    text = re.sub(r"\b[0-9a-f]{16,}\b", "<hex>", text)
    text = re.sub(rf"\b(?:{_WORD})(?: (?:{_WORD})){{3}}\b", "<four words>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>", text)
    lines: list[Any] = json.loads(text)
    for line in lines:
        _without_measures(line)
    return lines


def _without_measures(value: Any) -> None:
    """Sizes follow from random values, the number of a set of shares is one; findings and clocks are the machine's."""
    if isinstance(value, dict):
        for key in value:
            if key in (
                "size",
                "bytes",
                "boot_milliseconds",
                "milliseconds",
                "findings",
                "detail",
                "battery_clock",
                "battery_clock_ahead_seconds",
                "set",
            ):
                value[key] = "<measured>"
            _without_measures(value[key])
    elif isinstance(value, list):
        for item in value:
            _without_measures(item)
