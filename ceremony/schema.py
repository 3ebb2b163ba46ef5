"""The JSON Schema of ceremony scripts, for editors: `python -m ceremony.schema` prints it. It is made from the model alone."""

import json
import sys
from typing import Any

import msgspec

from ceremony.script import Script


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a ceremony script."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Ceremony script", **msgspec.json.schema(Script)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=1, sort_keys=True) + "\n")
