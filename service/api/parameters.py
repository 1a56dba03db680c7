"""The parameters of each endpoint: a typed value and a rule for each name, and all faults reported at once.

Reads the query string. The OpenAPI document takes its enums, bounds and defaults from the same rules.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal, TypeVar, get_args

import msgspec

from pipeline.contract import formats
from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import RANGES, VIEWS, Range, View, zone_names
from service.api import cursors
from service.api import query_string as query
from service.errors import Detail, InvalidParametersError

LARGEST_PAGE: Final = 100
DEFAULT_PAGE: Final = 20

Part = Literal["comparison", "pace"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

_Parameters = TypeVar("_Parameters", bound="Parameters")
_DIGITS: Final = re.compile(r"[0-9]{1,9}").fullmatch
_UUID_PATTERN: Final = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


class Rule(msgspec.Struct, frozen=True):
    """One parameter: how its text is read, its default, and how the OpenAPI document describes it."""

    name: str
    read: Callable[[str], Any]  # raises ValueError; the message says what is accepted
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
    # A name, never a path: it is looked up in the list before any file is opened.
    if text not in zone_names():
        raise ValueError("must be an IANA time zone name such as Europe/Berlin (case-sensitive)")
    return text


def _parts(text: str) -> tuple[Part, ...]:
    names = text.split(",")
    if not set(names) <= set(PARTS) or len(names) > len(set(names)):
        raise ValueError(f"must be {' or '.join(PARTS)}, or both with a comma between them, each once")
    return tuple(part for part in PARTS if part in names)


def _uuid(text: str) -> str:
    try:
        return formats.uuid(text)  # lower-case, as ids are stored
    except formats.FormatError:
        raise ValueError("must be a UUID of 8-4-4-4-12 hex digits") from None


def _limit(text: str) -> int:
    # `int` alone would also accept signs, spaces, underscores and the digits of other scripts.
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
_INCLUDE: Final = Rule(
    "include",
    _parts,
    (),
    {"type": "array", "items": {"type": "string", "enum": list(PARTS)}, "minItems": 1, "uniqueItems": True},
    "Parts that the answer has only if they are asked for, with a comma between them. CSV stays as it is.",
)
# The actions are those that the last run accepted: see `rules`.
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
    "Events per page.",
)
_CURSOR: Final = Rule(
    "cursor",
    _cursor,
    None,
    {"type": "string", "minLength": 1},
    "`next` or `prev` of an earlier page; belongs to its range, type, user_id and timezone.",
)


class Parameters(msgspec.Struct, frozen=True):
    """The typed values of a query string, with one field per rule."""

    rules: ClassVar[tuple[Rule, ...]] = ()


class SummaryParameters(Parameters, frozen=True):
    """The parameters of `/usage/summary`."""

    rules: ClassVar[tuple[Rule, ...]] = (_RANGE, _VIEW, _TIMEZONE, _INCLUDE)

    range: Range
    activity_view: View
    timezone: str
    include: tuple[Part, ...] = ()  # in the order of `PARTS`


class LanguageParameters(Parameters, frozen=True):
    """The parameters of `/usage/by-language`."""

    rules: ClassVar[tuple[Rule, ...]] = (_RANGE, _OPTIONAL_VIEW, _TIMEZONE)

    range: Range
    activity_view: View | None
    timezone: str


class FeedParameters(Parameters, frozen=True):
    """The parameters of `/usage/activity`."""

    rules: ClassVar[tuple[Rule, ...]] = (_RANGE, _TYPE, _USER, _LIMIT, _CURSOR, _TIMEZONE)

    range: Range
    type: str | None
    user_id: str | None
    limit: int
    cursor: cursors.Cursor | None
    timezone: str


class NoParameters(Parameters, frozen=True):
    """`/auth/whoami` takes no parameters."""


_LONGEST_CACHED: Final = 1024  # bytes of a query string

# A cursor is valid only together with the values that these had on the first page.
_BOUND_TO_CURSOR: Final = ("range", "type", "user_id", "timezone")


def rules(kind: type[Parameters], actions: tuple[str, ...]) -> tuple[Rule, ...]:
    """Return the rules of an endpoint where the last run accepted these actions."""
    if actions == ACTIONS:
        return kind.rules
    current = msgspec.structs.replace(_TYPE, read=_one_of(*actions), schema=_enum(actions))
    return tuple(current if rule is _TYPE else rule for rule in kind.rules)


def read(
    kind: type[_Parameters],
    query_string: bytes,
    header_faults: Sequence[Detail] = (),
    actions: tuple[str, ...] = ACTIONS,
) -> _Parameters:
    """Return the typed values of a query string.

    Args:
        kind: the parameters of the endpoint.
        query_string: as received.
        header_faults: the faults of the headers, which are reported in the same answer.
        actions: those that the last run accepted.

    Raises:
        InvalidParametersError: there are faults; it names all of them.
    """
    parse = _parse if len(query_string) <= _LONGEST_CACHED else _parse.__wrapped__
    values, faults = parse(kind, query_string, actions)
    if faults or header_faults:
        raise InvalidParametersError([*header_faults, *faults])
    return kind(**values)


@lru_cache(maxsize=1024)  # clients repeat their requests
def _parse(
    kind: type[Parameters], query_string: bytes, actions: tuple[str, ...]
) -> tuple[dict[str, Any], list[Detail]]:
    """Return the values of a query string, by name, and its faults."""
    texts, faults = query.parse(query_string, {rule.name for rule in kind.rules})
    values: dict[str, Any] = {}
    for rule in rules(kind, actions):
        values[rule.name] = rule.default
        if rule.name in texts:
            try:
                values[rule.name] = rule.read(texts[rule.name])
            except ValueError as error:
                faults.append(Detail(rule.name, str(error)))
    cursor = values.get("cursor")
    if isinstance(cursor, cursors.Cursor):
        faulty = {fault.field for fault in faults}  # reported already, and without a value to compare
        if any(getattr(cursor, name) != values[name] for name in _BOUND_TO_CURSOR if name not in faulty):
            faults.append(Detail("cursor", "belongs to another range, type, user_id or timezone"))
    return values, faults
