"""What the topics of both services have in common: properties behind a question mark, the request's own number among them."""

import re
from urllib.parse import parse_qs

from ceremony.simulator.mqtt_packets import MqttError

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_MOST_PROPERTIES = 8


def properties_of(text: str) -> dict[str, str]:
    """The properties that stand behind a topic's question mark, decoded. `$rid` is there, and can stand in an answer's topic.

    Raises MqttError for a request without its number, and for too many properties.
    """
    try:
        found = {name: values[0] for name, values in parse_qs(text, max_num_fields=_MOST_PROPERTIES).items()}
    except ValueError as broken:
        raise MqttError("A topic has too many properties.") from broken
    if not _REQUEST_ID.fullmatch(found.get("$rid", "")):
        raise MqttError("A request has no number that an answer could bear.")
    return found
