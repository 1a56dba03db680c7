"""A query string taken apart to the letter.

Pure: bytes in, values and problems out. The usual parsers keep broken text by replacing it and let an empty value pass
for an absent one; a client that sends such a thing is better told.
"""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from service.errors import Detail

_BROKEN_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})").search
_PLAIN: Final = "!$'()*+,-./:;=?@_~%"  # of a query string (RFC 3986), and what is encoded already


def parse(query: bytes, known: Collection[str]) -> tuple[dict[str, str], list[Detail]]:
    """Return the values of the known parameters, and what is wrong; unknown ones are ignored.

    A parameter with a problem has no value.
    """
    found: dict[str, list[bytes]] = {}
    problems: list[Detail] = []
    for piece in query.split(b"&"):
        raw_name, _, raw_value = piece.partition(b"=")
        name = _decode(raw_name)
        if name is None:
            problems.append(Detail("query", "has a name that is no percent-encoded UTF-8"))
        elif name in known:
            found.setdefault(name, []).append(raw_value)
    values: dict[str, str] = {}
    for name, raw_values in found.items():
        value = _decode(raw_values[0])
        if len(raw_values) > 1:
            problems.append(Detail(name, "is given more than once"))
        elif value is None:
            problems.append(Detail(name, "is no percent-encoded UTF-8"))
        elif not value:
            problems.append(Detail(name, "is empty; leave it out to get the default"))
        else:
            values[name] = value
    return values, problems


def without(query: bytes, name: str) -> list[str]:
    """Return the pieces of a query string but for one parameter, as sent and fit for a URL."""
    return [
        quote_from_bytes(piece, safe=_PLAIN)
        for piece in query.split(b"&")
        if piece and _decode(piece.partition(b"=")[0]) != name
    ]


def _decode(raw: bytes) -> str | None:
    if _BROKEN_PERCENT(raw):
        return None
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        return None
