"""Check the values of single fields: each function finds the fault of one kind of value.

A check takes the JSON text of a value and the name of its field. It returns the text to keep, or raises FaultError.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from pipeline.contract import formats
from pipeline.contract.calendar import FIRST_DAY, rfc3339, utc_day_start
from pipeline.contract.formats import FormatError
from pipeline.validation import deep_json
from pipeline.validation.records import COUNT_MAX, ID_CHARACTERS_MAX, METADATA_DEPTH_MAX, Reason, Rejection

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)").fullmatch
_KINDS: Final = {'"': "a string", "{": "an object", "[": "an array", "t": "a boolean", "f": "a boolean", "n": "null"}

Check = Callable[[str, str], str]


class FaultError(Exception):
    """Raised where a value has a fault, or a line that is no JSON object."""

    def __init__(self, reason: Reason, field: str | None, message: str) -> None:
        super().__init__(message)
        self.rejection = Rejection(reason, field, message)


class EnoughError(Exception):
    """Raised when so many faults are found as are wanted."""


class Faults:
    """The faults that are found.

    Args:
        most: how many are wanted.
    """

    def __init__(self, most: int) -> None:
        self.found: list[Rejection] = []
        self._most = most

    def add(self, fault: Rejection) -> None:
        """Add a fault.

        Raises:
            EnoughError: there are as many as are wanted.
        """
        self.found.append(fault)
        if len(self.found) >= self._most:
            raise EnoughError


def kind_of(text: str) -> str:
    """Return the kind of a JSON value, with its article."""
    return _KINDS.get(text[:1], "a number")


def expect(kind: str, text: str, field: str) -> None:
    """Raise FaultError unless a value is of one kind."""
    if kind_of(text) != kind:
        raise FaultError("invalid_type", field, f"{field} must be {kind}, not {kind_of(text)}")


def _decoded(text: str, field: str) -> str:
    expect("a string", text, field)
    return msgspec.json.decode(text, type=str)


def string(text: str, field: str) -> str:
    """Check that a value is a string."""
    expect("a string", text, field)
    return text


def identifier(text: str, field: str) -> str:
    """Check a string of 1 to 128 characters."""
    length = len(_decoded(text, field))
    if not 1 <= length <= ID_CHARACTERS_MAX:
        raise FaultError("invalid_value", field, f"{field} must have 1 to {ID_CHARACTERS_MAX} characters, not {length}")
    return text


def uuid(text: str, field: str) -> str:
    """Check a UUID in its usual form."""
    value = _decoded(text, field)
    try:
        formats.uuid(value)
    except FormatError:
        message = f"{field} must be a UUID of 8-4-4-4-12 hex digits, not {_shown(text)}"
        raise FaultError("invalid_value", field, message) from None
    return text


def instant(text: str, field: str) -> str:
    """Check a date-time with offset."""
    _microseconds(text, field)
    return text


def _microseconds(text: str, field: str) -> int:
    value = _decoded(text, field)
    try:
        return formats.instant(value)
    except FormatError:
        message = f"{field} must be an RFC 3339 date-time with offset such as 2026-11-24T12:00:00Z, not {_shown(text)}"
        raise FaultError("invalid_value", field, message) from None


def timestamp(text: str, field: str, latest: int) -> str:
    """Check a date-time that is neither before the first day nor after `latest`, in microseconds UTC."""
    moment = _microseconds(text, field)
    if moment > latest:
        message = (
            f"{field} {_shown(text)} is after {rfc3339(latest)}, 24 h after the run's start; retry after that time"
        )
        raise FaultError("timestamp_out_of_range", field, message)
    if moment < utc_day_start(FIRST_DAY):
        raise FaultError("timestamp_out_of_range", field, f"{field} {_shown(text)} is before {FIRST_DAY}")
    return text


def one_of(values: tuple[str, ...]) -> Check:
    """Return the check of a string that is one of these values; escapes are not kept."""

    def check(text: str, field: str) -> str:
        value = _decoded(text, field)
        if value not in values:
            raise FaultError("invalid_value", field, f"{field} must be one of {', '.join(values)}, not {_shown(text)}")
        return f'"{value}"'

    return check


def metadata(text: str, field: str) -> str:
    """Check an object that is not nested too deep."""
    expect("an object", text, field)
    if (deep := deep_json.depth(text)) > METADATA_DEPTH_MAX:
        message = f"{field} is nested {deep} deep, at most {METADATA_DEPTH_MAX} is kept"
        raise FaultError("invalid_value", field, message)
    return text


def locale(text: str, field: str) -> str:
    """Check a locale."""
    value = _decoded(text, field)
    try:
        formats.locale(value)
    except FormatError:
        message = f"{field} must be a BCP-47 tag such as en-US, not {_shown(text)}"
        raise FaultError("invalid_locale", field, message) from None
    return text


def count(text: str, field: str) -> str:
    """Check an integer from 0 to 10^12."""
    if kind_of(text) != "a number" or not _INTEGER(text):
        shown = _shown(text) if kind_of(text) in {"a number", "a string"} else kind_of(text)
        raise FaultError("invalid_type", field, f"{field} must be a JSON integer, not {shown}")
    if len(text) > len(str(COUNT_MAX)) or not 0 <= int(text) <= COUNT_MAX:
        raise FaultError("invalid_value", field, f"{field} must be from 0 to 10^12, not {_shown(text)}")
    return text


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - fits a line of a terminal
