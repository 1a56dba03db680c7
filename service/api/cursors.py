"""Cursors of the feed: encode where a page begins as an opaque token, and decode it again.

A cursor carries the position (microseconds and id), the direction, the window of the first page, and the parameters of
the request. It is not secret and needs no signature: the workspace comes from the credential. Clients may send
anything, so nothing in it is trusted: `decode` accepts exactly what `encode` can make.
"""

import base64
from typing import Annotated, Final, Literal

import msgspec

from pipeline.contract.actions import PATTERN
from pipeline.contract.calendar import DAY_US, Range, zone_names

# Characters: an id of 128 four-byte characters, the longest zone name, the longest action and everything else make 964.
_LONGEST_TOKEN: Final = 1024
# The longest range plus one day, because local days may be longer than 24 hours.
_LONGEST_WINDOW_US: Final = 91 * DAY_US
_YEAR_9999_US: Final = 253_370_764_800_000_000

_Instant = Annotated[int, msgspec.Meta(ge=-1, le=_YEAR_9999_US)]


class CursorError(ValueError):
    """Raised when `encode` could not have made the token."""


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A position in the feed. `next` asks for older events, `prev` for newer ones."""

    version: Literal[1]
    direction: Literal["next", "prev"]
    timestamp: _Instant
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    start: _Instant
    end: _Instant
    range: Range
    type: Annotated[str, msgspec.Meta(pattern=PATTERN.replace("$", "\\Z"))] | None
    user_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\\Z")] | None
    timezone: str


def at(origin: Cursor, direction: Literal["next", "prev"], timestamp: int, event_id: str) -> Cursor:
    """Return the same cursor at another position."""
    return msgspec.structs.replace(origin, direction=direction, timestamp=timestamp, id=event_id)


def encode(cursor: Cursor) -> str:
    """Return the token of a cursor."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(cursor)).rstrip(b"=").decode("ascii")


def decode(token: str) -> Cursor:
    """Return the cursor of a token.

    Raises:
        CursorError: `encode` could not have made it.
    """
    if len(token) > _LONGEST_TOKEN:
        raise CursorError
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        cursor = msgspec.msgpack.decode(raw, type=Cursor)
        canonical = encode(cursor) == token
    except (msgspec.MsgspecError, ValueError, RecursionError):  # broken bytes, base64 or text; endless nesting
        raise CursorError from None
    if not (canonical and _is_sane(cursor)):
        raise CursorError
    return cursor


def _is_sane(cursor: Cursor) -> bool:
    return (
        0 <= cursor.start < cursor.end <= cursor.start + _LONGEST_WINDOW_US
        and cursor.start - 1 <= cursor.timestamp <= cursor.end
        and cursor.timezone in zone_names()
    )
