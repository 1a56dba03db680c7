"""What each endpoint takes: typed values, one rule beside each name, every error at once.

The rules are also where the OpenAPI document gets its enums, bounds and defaults from.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from pipeline.contract import formats
from pipeline.contract.calendar import RANGES, VIEWS, Range, View, zone_names
from pipeline.contract.tables import ACTIONS, Action
from service.api import cursors
from service.api import query_string as query
from service.errors import Detail, InvalidParametersError

LARGEST_PAGE: Final = 100
DEFAULT_PAGE: Final = 20

_Parameters = TypeVar("_Parameters", bound="Parameters")
_DIGITS: Final = re.compile(r"[0-9]{1,9}").fullmatch
_UUID_PATTERN: Final = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


class Rule(msgspec.Struct, frozen=True):
    """One parameter: how to read its text, what stands for it when it is absent, how the document shows it."""

    name: str
    read: Callable[[str], Any]  # raises ValueError with what the caller should have sent
    default: Any
    schema: dict[str, Any]
    description: str


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return read


def _timezone(text: str) -> str:
    # Names only, never paths: a name is looked up in the list before anything is opened.
    if text not in zone_names():
        raise ValueError("must be an IANA time zone name such as Europe/Berlin, in its own case")
    return text


def _uuid(text: str) -> str:
    try:
        return formats.uuid(text)  # lower-case, as ids are stored
    except formats.FormatError:
        raise ValueError("must be a UUID of 8-4-4-4-12 hex digits") from None


def _limit(text: str) -> int:
    # `int` would also take signs, spaces, underscores and the digits of other scripts.
    if not (_DIGITS(text) and 1 <= int(text) <= LARGEST_PAGE):
        raise ValueError(f"must be a whole number from 1 to {LARGEST_PAGE}")
    return int(text)


def _cursor(text: str) -> cursors.Cursor:
    try:
        return cursors.decode(text)
    except cursors.CursorError:
        raise ValueError("must be a cursor from `pagination`, unchanged") from None


def _enum(values: Sequence[str], default: str | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "enum": list(values)}
    return schema if default is None else {**schema, "default": default}


_RANGE: Final = Rule(
    "range", _one_of(*RANGES), "30d", _enum(RANGES, "30d"), "Rolling local calendar days, today included."
)
_VIEW: Final = Rule(
    "activity_view",
    _one_of(*VIEWS),
    "daily",
    _enum(VIEWS, "daily"),
    "Buckets of the activity chart: 7 local days, 12 weeks from Monday, or 12 calendar months.",
)
_OPTIONAL_VIEW: Final = Rule(
    "activity_view",
    _one_of(*VIEWS),
    None,
    _enum(VIEWS),
    "Use the whole period of this view instead of `range`, which is then null in the answer.",
)
_TIMEZONE: Final = Rule(
    "timezone",
    _timezone,
    "UTC",
    {"type": "string", "default": "UTC", "examples": ["UTC", "Asia/Kathmandu"]},
    "IANA name of the zone whose days are meant, case-sensitive.",
)
_TYPE: Final = Rule("type", _one_of(*ACTIONS), None, _enum(ACTIONS), "Only events of this action.")
_USER: Final = Rule(
    "user_id",
    _uuid,
    None,
    {"type": "string", "format": "uuid", "pattern": _UUID_PATTERN},
    "Only events of this active member.",
)
_LIMIT: Final = Rule(
    "limit",
    _limit,
    DEFAULT_PAGE,
    {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": DEFAULT_PAGE},
    "Events a page.",
)
_CURSOR: Final = Rule(
    "cursor",
    _cursor,
    None,
    {"type": "string", "minLength": 1},
    "`next` or `prev` of an earlier page; belongs to its range, type, user_id and timezone.",
)


class Parameters(msgspec.Struct, frozen=True):
    """The typed values of a query string, one field for each rule."""

    rules: ClassVar[tuple[Rule, ...]] = ()


class SummaryParameters(Parameters, frozen=True):
    """What `/usage/summary` takes."""

    rules: ClassVar[tuple[Rule, ...]] = (_RANGE, _VIEW, _TIMEZONE)

    range: Range
    activity_view: View
    timezone: str


class LanguageParameters(Parameters, frozen=True):
    """What `/usage/by-language` takes."""

    rules: ClassVar[tuple[Rule, ...]] = (_RANGE, _OPTIONAL_VIEW, _TIMEZONE)

    range: Range
    activity_view: View | None
    timezone: str


class FeedParameters(Parameters, frozen=True):
    """What `/usage/activity` takes."""

    rules: ClassVar[tuple[Rule, ...]] = (_RANGE, _TYPE, _USER, _LIMIT, _CURSOR, _TIMEZONE)

    range: Range
    type: Action | None
    user_id: str | None
    limit: int
    cursor: cursors.Cursor | None
    timezone: str


class NoParameters(Parameters, frozen=True):
    """What `/auth/whoami` takes."""


# A longer query string is read anew each time.
_LONGEST_KEPT: Final = 1024

_CURSOR_OF: Final = ("range", "type", "user_id", "timezone")


def read(kind: type[_Parameters], query_string: bytes, known_problems: Sequence[Detail] = ()) -> _Parameters:
    """Return the typed values of a query string.

    Args:
        kind: what the endpoint takes.
        query_string: as received.
        known_problems: what is already wrong with the headers, to be told in the same answer.

    Raises:
        InvalidParametersError: anything is wrong; every problem is in it.
    """
    examine = _examine if len(query_string) <= _LONGEST_KEPT else _examine.__wrapped__
    values, problems = examine(kind, query_string)
    if problems or known_problems:
        raise InvalidParametersError([*known_problems, *problems])
    return kind(**values)


@lru_cache(maxsize=1024)  # clients ask the same again and again
def _examine(kind: type[Parameters], query_string: bytes) -> tuple[dict[str, Any], list[Detail]]:
    """Return the values of a query string and its problems."""
    texts, problems = query.parse(query_string, {rule.name for rule in kind.rules})
    values: dict[str, Any] = {}
    for rule in kind.rules:
        values[rule.name] = rule.default
        if rule.name in texts:
            try:
                values[rule.name] = rule.read(texts[rule.name])
            except ValueError as error:
                problems.append(Detail(rule.name, str(error)))
    cursor = values.get("cursor")
    if isinstance(cursor, cursors.Cursor):
        wrong = {problem.field for problem in problems}  # these have their own problem and nothing to compare to
        if any(getattr(cursor, name) != values[name] for name in _CURSOR_OF if name not in wrong):
            problems.append(Detail("cursor", "belongs to another range, type, user_id or timezone"))
    return values, problems
