"""Strict parsing of a query string.

Pure: bytes in, values and faults out. The usual parsers replace broken text and treat an empty value like a missing
one; a client that sends such a query is better served by an error.
"""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from service.errors import Detail

_BROKEN_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})").search
_PLAIN: Final = "!$'()*+,-./:;=?@_~%"  # allowed in a query string (RFC 3986), or encoded already


def parse(query: bytes, known: Collection[str]) -> tuple[dict[str, str], list[Detail]]:
    """Return the values of the known parameters, and the faults. Unknown parameters are ignored.

    A parameter with a fault has no value. However many names are not text, that is one fault.
    """
    found: dict[str, list[bytes]] = {}
    has_broken_name = False
    for piece in query.split(b"&"):
        raw_name, _, raw_value = piece.partition(b"=")
        name = _decode(raw_name)
        if name is None:
            has_broken_name = True
        elif name in known:
            found.setdefault(name, []).append(raw_value)
    faults = [Detail("query", "has a name that is not percent-encoded UTF-8")] if has_broken_name else []
    values: dict[str, str] = {}
    for name, raw_values in found.items():
        value = _decode(raw_values[0])
        if len(raw_values) > 1:
            faults.append(Detail(name, "is given more than once"))
        elif value is None:
            faults.append(Detail(name, "is not percent-encoded UTF-8"))
        elif not value:
            faults.append(Detail(name, "is empty; leave it out to get the default"))
        else:
            values[name] = value
    return values, faults


def only(query: bytes, known: Collection[str]) -> list[str]:
    """Return the pieces of a query string that are of known parameters, as sent, quoted for use in a URL."""
    return [
        quote_from_bytes(piece, safe=_PLAIN)
        for piece in query.split(b"&")
        if _decode(piece.partition(b"=")[0]) in known
    ]


def _decode(raw: bytes) -> str | None:
    if raw.isascii() and b"%" not in raw and b"+" not in raw:
        return raw.decode("ascii")
    if _BROKEN_PERCENT(raw):
        return None
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        return None
