"""Cursors: exactly what was encoded is decoded, and nothing else."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import DAY_US, RANGES
from service.api import cursors
from service.api.cursors import Cursor, CursorError

USER = "c0000000-0000-4000-8000-00000000000a"
FIRST = Cursor(1, "next", 1_000, "evt", 0, 30 * DAY_US, "30d", None, None, "UTC")


def _raw(value: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).rstrip(b"=").decode()


@st.composite
def _cursors(draw: Any) -> Cursor:
    start = draw(st.integers(0, 2**55))
    end = start + draw(st.integers(1, 91 * DAY_US))
    return Cursor(
        version=1,
        direction=draw(st.sampled_from(["next", "prev"])),
        timestamp=draw(st.integers(start - 1, end)),
        id=draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)),
        start=start,
        end=end,
        range=draw(st.sampled_from(RANGES)),
        type=draw(st.sampled_from([None, *ACTIONS])),
        user_id=draw(st.sampled_from([None, USER])),
        timezone=draw(st.sampled_from(["UTC", "America/Argentina/ComodRivadavia"])),
    )


@given(cursor=_cursors())
def test_round_trip(cursor: Cursor) -> None:
    """A cursor is decoded as it was encoded, and its token consists of URL-safe characters."""
    token = cursors.encode(cursor)
    assert cursors.decode(token) == cursor
    assert token.isascii()
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(cursor=_cursors(), cut=st.integers(1, 400), extra=st.text(max_size=3))
def test_truncated_or_extended(cursor: Cursor, cut: int, extra: str) -> None:
    """A token that was cut off or extended is refused."""
    token = cursors.encode(cursor)
    with pytest.raises(CursorError):
        cursors.decode(token[:-cut])
    if extra:
        with pytest.raises(CursorError):
            cursors.decode(token + extra)


@given(
    token=st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda b: base64.urlsafe_b64encode(b).decode()))
)
def test_arbitrary_tokens(token: str) -> None:
    """Arbitrary text and bytes are refused without any other error."""
    with pytest.raises(CursorError):
        cursors.decode(token)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 2},
        {"direction": "up"},
        {"timestamp": "1000"},
        {"timestamp": 1000.0},
        {"timestamp": True},
        {"timestamp": -2},
        {"timestamp": 30 * DAY_US + 1},
        {"timestamp": 2**63},
        {"id": ""},
        {"id": "x" * 129},
        {"id": b"x"},
        {"start": 5, "end": 5},
        {"start": 5, "end": 4},
        {"end": 92 * DAY_US},
        {"start": -5},
        {"range": "7d"},
        {"type": "Other"},
        {"type": "other\n"},
        {"user_id": USER.upper()},
        {"user_id": USER + "\n"},
        {"timezone": "../UTC"},
        {"timezone": None},
    ],
)
def test_fields_out_of_bounds(fields: dict[str, Any]) -> None:
    """Every field is checked: its type, its bounds, and that the position lies in a window of at most 91 days."""
    values = {name: getattr(FIRST, name) for name in FIRST.__struct_fields__} | fields
    with pytest.raises(CursorError):
        cursors.decode(_raw(list(values.values())))


NEWEST = 253_370_764_800_000_000  # 9999-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("fields", "is_valid"),
    [
        ({"start": 0, "end": 91 * DAY_US}, True),
        ({"start": 0, "end": 91 * DAY_US + 1}, False),
        ({"start": 9, "end": 9 + 91 * DAY_US, "timestamp": 9}, True),
        ({"start": 9, "end": 10 + 91 * DAY_US, "timestamp": 9}, False),
        ({"start": 9, "end": 10, "timestamp": 9}, True),
        ({"start": 9, "end": 9, "timestamp": 9}, False),
        ({"start": 9, "end": 8, "timestamp": 8}, False),
        ({"start": 9, "end": 20, "timestamp": 8}, True),  # all events of the window are newer
        ({"start": 9, "end": 20, "timestamp": 7}, False),
        ({"start": 9, "end": 20, "timestamp": 20}, True),  # and all are older
        ({"start": 9, "end": 20, "timestamp": 21}, False),
        ({"start": 0, "timestamp": -1}, True),
        ({"start": -1, "timestamp": -1}, False),
        ({"start": -1, "timestamp": 0}, False),
        ({"start": NEWEST - DAY_US, "end": NEWEST, "timestamp": NEWEST}, True),
        ({"start": NEWEST - DAY_US, "end": NEWEST + 1, "timestamp": NEWEST}, False),
        ({"id": "x"}, True),
        ({"id": "𝄞" * 128, "timezone": "America/Argentina/ComodRivadavia", "type": "workflow_run"}, True),
        ({"type": "a"}, True),
        ({"user_id": USER}, True),
        ({"user_id": USER[:-1]}, False),
    ],
)
def test_edges(fields: dict[str, Any], is_valid: bool) -> None:
    """The window is not empty, at most 91 days long and before the year 9999; the position is in it or just before."""
    cursor = msgspec.structs.replace(FIRST, **fields)
    if is_valid:
        assert cursors.decode(cursors.encode(cursor)) == cursor
    else:
        with pytest.raises(CursorError):
            cursors.decode(cursors.encode(cursor))


def test_a_cursor_does_not_change() -> None:
    """A cursor can be the key of a cache; another position makes another cursor."""
    moved = cursors.at(FIRST, "prev", 2_000, "other")
    assert moved == msgspec.structs.replace(FIRST, direction="prev", timestamp=2_000, id="other")
    assert len({FIRST, moved, cursors.decode(cursors.encode(FIRST))}) == 2
    with pytest.raises(AttributeError):
        setattr(FIRST, "id", "x")  # noqa: B010 - mypy knows that it cannot be set


@pytest.mark.parametrize(
    "token",
    [
        _raw([*msgspec.structs.astuple(FIRST), 1]),
        _raw(msgspec.structs.astuple(FIRST)[:-1]),
        _raw({name: getattr(FIRST, name) for name in FIRST.__struct_fields__}),
        _raw(None),
        cursors.encode(FIRST) + "=",
        cursors.encode(FIRST) + "\n",
        " " + cursors.encode(FIRST),
        base64.urlsafe_b64encode(b"\x9a" + b"\x91" * 600).decode(),
        base64.urlsafe_b64encode(b"\x9b\x01" + b"\x91" * 600).decode(),
        base64.urlsafe_b64encode(b"\x9a\x01\xdd\xff\xff\xff\xff").decode(),
        "A" * 1_000_000,
    ],
)
def test_other_shapes(token: str) -> None:
    """Wrong numbers of fields, other containers, padding, white space, endless nesting and large tokens are refused."""
    with pytest.raises(CursorError):
        cursors.decode(token)


def test_other_spellings() -> None:
    """A cursor has one token: other alphabets, padding bits, ignored characters and longer encodings are refused."""
    cursor = msgspec.structs.replace(FIRST, id="?~" * 22)
    token = cursors.encode(cursor)
    assert "-" in token
    assert "_" in token
    raw = base64.urlsafe_b64decode(token + "==")
    assert raw[:2] == b"\x9a\x01"
    longer = base64.urlsafe_b64encode(b"\x9a\xcc\x01" + raw[2:]).rstrip(b"=").decode()
    assert token.endswith("w")  # its last four bits are padding
    others = [
        f"{token[:-1]}x",
        token.replace("-", "+"),
        token.replace("_", "/"),
        f"    {token}",
        f"{token[:8]}~~~~{token[8:]}",
        longer,
    ]
    assert min(others) < token < max(others)  # whatever order would let some of them through
    for other in others:
        with pytest.raises(CursorError):
            cursors.decode(other)
    assert cursors.decode(token) == cursor


def test_smallest_valid_token() -> None:
    """The token that the refused tokens are made from is accepted."""
    assert cursors.decode(_raw(list(msgspec.structs.astuple(FIRST)))) == FIRST
