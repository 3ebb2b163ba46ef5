"""How a token is shown: the facts that it tells of itself, a line each."""

from typing import Any


def token_text(token: dict[str, Any]) -> tuple[str, ...]:
    """Label, serial, maker and tries left, as the token says."""
    return (
        f"Token label:  {token['label'] or '(none)'}",
        f"Serial:       {token['serial'] or '(none before it is initialised)'}",
        f"Made by:      {token['manufacturer']} {token['model']}, firmware {token['firmware_version']}",
        f"PIN tries:    user {token['pin_tries']}, SO {token['so_pin_tries']}",
    )
