"""What a line says, as far as it can be decoded: a producer's lines may be anything.

Pure: reads and writes nothing.
"""

from typing import Any

import msgspec


def object_of(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line; an empty one if it is none, or cannot be decoded."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
