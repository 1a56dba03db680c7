"""Take forgotten users out of good records and find the bad lines that name them, with their ids in hand."""

import dataclasses
import re
from collections.abc import Collection

from tests.oracle.events import Event
from tests.oracle.json_text import Value, parse, write


def forget(event: Event, users: Collection[str]) -> tuple[Event | None, int]:
    """Return what is left of an event, None of a forgotten user's own, and how many places named the forgotten.

    Args:
        event: as it was validated.
        users: the ids of the forgotten, in lower case.
    """
    if event.user_id in users or not users:
        return (None if event.user_id in users else event), 0
    pattern = re.compile(_spellings(users), re.IGNORECASE | re.ASCII)
    places = 0
    resource_id = event.resource_id
    if resource_id is not None and pattern.search(resource_id):
        resource_id, places = None, 1

    def blank(found: re.Match[str]) -> str:
        nonlocal places
        places += 1
        return "".join("-" if char == "-" else "0" for char in found[0])

    def walk(value: Value) -> Value:
        if isinstance(value, dict):
            pairs = [(pattern.sub(blank, key), walk(inner)) for key, inner in value.items()]
            last = {key: number for number, (key, _) in enumerate(pairs)}
            return {key: inner for number, (key, inner) in enumerate(pairs) if last[key] == number}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        return pattern.sub(blank, value) if isinstance(value, str) else value

    metadata = None if event.metadata is None else write(walk(parse(event.metadata)[0]))
    return dataclasses.replace(event, resource_id=resource_id, metadata=metadata), places


def names(line: bytes, users: Collection[str]) -> bool:
    """Say whether a bad line names a forgotten user: plainly, by JSON escapes, or in UTF-16 of either order."""
    if not users:
        return False
    pattern = re.compile(_spellings(users).encode(), re.IGNORECASE)
    texts = [line, *(line[skip:].decode("utf-16-le", "replace").encode(errors="replace") for skip in (0, 1))]
    plain = [re.sub(rb"\\u00([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), text) for text in texts]
    return any(pattern.search(text) for text in plain)


def _spellings(users: Collection[str]) -> str:
    return "|".join(f"{user}|{user.replace('-', '')}" for user in users)
