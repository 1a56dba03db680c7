"""Find the first fault of a line that could not be decoded in one step, in the order of the contract's table.

Reads the line field by field, and says what is wrong in words that a person can act on. A line may also have no fault:
the first value of a repeated key may be bad, or the value of an unknown key nested deeper than the decoder goes. Such a
line is rewritten with only its known fields.
"""

import json
import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import msgspec

from pipeline.contract import formats
from pipeline.contract.calendar import FIRST_DAY, rfc3339, utc_day_start
from pipeline.contract.formats import FormatError
from pipeline.contract.tables import ACTIONS, STATUSES
from pipeline.validation import deep_json
from pipeline.validation.records import COUNT_MAX, ID_CHARACTERS_MAX, METADATA_DEPTH_MAX, RUN_ACTION, Reason, Rejection

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)").fullmatch
_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_KINDS: Final = {'"': "a string", "{": "an object", "[": "an array", "t": "a boolean", "f": "a boolean", "n": "null"}


class Presence(Enum):
    """Whether a key may be absent, and whether null counts as absent."""

    REQUIRED = auto()  # neither
    NUMBER = auto()  # it may be absent, but null is a wrong type
    OPTIONAL = auto()  # both


class FaultError(Exception):
    """Raised at the first fault of a line."""

    def __init__(self, reason: Reason, field: str | None, message: str) -> None:
        super().__init__(message)
        self.rejection = Rejection(reason, field, message)


class _Object:
    """One object of a line: its members as they are written, and the checked ones to rewrite it from."""

    def __init__(self, text: str, path: str = "") -> None:
        self.path = path
        self.members = _members(text)
        self.checked: dict[str, str] = {}

    def take(self, key: str, presence: Presence, check: Callable[[str, str], str]) -> str | None:
        """Check one member and return its text; None if it is absent, or null and optional.

        Args:
            key: of the member.
            presence: whether it may be absent or null.
            check: takes the text of the value and the name of the field, and returns the text to keep.

        Raises:
            FaultError: it is absent and required, or `check` finds a fault.
        """
        field = self.path + key
        text = self.members.get(key)
        if text is None:
            if presence is Presence.REQUIRED:
                raise FaultError("missing_field", field, f"{field} is required but absent")
            return None
        if text == "null" and presence is Presence.OPTIONAL:
            return None
        self.checked[key] = check(text, field)
        return self.checked[key]

    def rewritten(self) -> str:
        """Return the object with only its checked members."""
        return "{" + ",".join(f'"{key}":{text}' for key, text in self.checked.items()) + "}"


def diagnose(line: bytes, latest: int, *, torn: bool) -> bytes:
    """Return the line rewritten with only its known fields.

    Args:
        line: neither blank nor too long.
        latest: the last instant that `timestamp` may have, in microseconds UTC.
        torn: whether the file ends with this line and without a newline.

    Raises:
        FaultError: at the first fault, in the order of the contract's table.
    """
    record = _Object(_text(line, torn=torn))
    record.take("id", Presence.REQUIRED, _id)
    record.take("workspace_id", Presence.REQUIRED, _uuid)
    record.take("timestamp", Presence.REQUIRED, lambda text, field: _timestamp(text, field, latest))
    record.take("recorded_at", Presence.OPTIONAL, _instant)
    action = record.take("action", Presence.REQUIRED, _one_of(ACTIONS))
    record.take("kind", Presence.REQUIRED, _string)
    record.take("resource", Presence.REQUIRED, _resource)
    record.take("user", Presence.OPTIONAL, _user)
    record.take("metadata", Presence.OPTIONAL, _metadata)
    record.take("ip", Presence.OPTIONAL, _string)
    record.take("run", Presence.REQUIRED if action == f'"{RUN_ACTION}"' else Presence.OPTIONAL, _run)
    record.take("usage", Presence.OPTIONAL, _usage)
    return record.rewritten().encode()


def _text(line: bytes, *, torn: bool) -> str:
    """Return the text of a line.

    Raises:
        FaultError: it is not one JSON object in UTF-8, or has half of a surrogate pair.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        if torn and not _well_formed(line.decode(errors="replace")):
            raise _torn() from None
        message = f"byte {error.start + 1} of the line is not UTF-8; write the log in UTF-8"
        raise FaultError("invalid_encoding", None, message) from None
    try:
        _parse(text)
    except json.JSONDecodeError as error:
        if torn:
            raise _torn() from None
        raise FaultError("invalid_json", None, f"not JSON: {error.msg} at character {error.pos + 1}") from None
    if deep_json.has_lone_surrogate(text):
        message = "half of a surrogate pair is escaped; write whole characters"
        raise FaultError("invalid_encoding", None, message)
    text = text.strip(" \t\n\r")
    if not text.startswith("{"):
        raise FaultError("not_an_object", None, f"the line is {_kind(text)}; write one JSON object a line")
    return text


def _torn() -> FaultError:
    message = "the file ends within this line; it is read again when the file grows"
    return FaultError("truncated_line", None, message)


def _parse(text: str) -> None:
    """Raise JSONDecodeError if a text is not JSON by the strict grammar."""
    try:
        json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except RecursionError:
        deep_json.members(text)


def _no_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is no JSON number", name, 0)


def _well_formed(text: str) -> bool:
    try:
        _parse(text)
    except json.JSONDecodeError:
        return False
    return True


def _members(text: str) -> dict[str, str]:
    try:
        return {key: bytes(value).decode() for key, value in _RAW_MEMBERS(text.encode()).items()}
    except RecursionError:
        return deep_json.members(text)


def _kind(text: str) -> str:
    return _KINDS.get(text[:1], "a number")


def _expect(kind: str, text: str, field: str) -> None:
    if _kind(text) != kind:
        raise FaultError("invalid_type", field, f"{field} must be {kind}, not {_kind(text)}")


def _decoded(text: str, field: str) -> str:
    _expect("a string", text, field)
    return msgspec.json.decode(text, type=str)


def _string(text: str, field: str) -> str:
    _expect("a string", text, field)
    return text


def _id(text: str, field: str) -> str:
    length = len(_decoded(text, field))
    if not 1 <= length <= ID_CHARACTERS_MAX:
        raise FaultError("invalid_value", field, f"{field} must have 1 to {ID_CHARACTERS_MAX} characters, not {length}")
    return text


def _uuid(text: str, field: str) -> str:
    value = _decoded(text, field)
    try:
        formats.uuid(value)
    except FormatError:
        message = f"{field} must be a UUID of 8-4-4-4-12 hex digits, not {_shown(text)}"
        raise FaultError("invalid_value", field, message) from None
    return text


def _instant(text: str, field: str) -> str:
    _moment(text, field)
    return text


def _moment(text: str, field: str) -> int:
    value = _decoded(text, field)
    try:
        return formats.instant(value)
    except FormatError:
        message = f"{field} must be an RFC 3339 date-time with offset such as 2026-11-24T12:00:00Z, not {_shown(text)}"
        raise FaultError("invalid_value", field, message) from None


def _timestamp(text: str, field: str, latest: int) -> str:
    moment = _moment(text, field)
    if moment > latest:
        message = (
            f"{field} {_shown(text)} is after {rfc3339(latest)}, 24 h after the run's start; retry when it is past"
        )
        raise FaultError("timestamp_out_of_range", field, message)
    if moment < utc_day_start(FIRST_DAY):
        raise FaultError("timestamp_out_of_range", field, f"{field} {_shown(text)} is before {FIRST_DAY}")
    return text


def _one_of(values: tuple[str, ...]) -> Callable[[str, str], str]:
    def check(text: str, field: str) -> str:
        value = _decoded(text, field)
        if value not in values:
            raise FaultError("invalid_value", field, f"{field} must be one of {', '.join(values)}, not {_shown(text)}")
        return f'"{value}"'

    return check


def _resource(text: str, field: str) -> str:
    resource = _object(text, field)
    resource.take("type", Presence.REQUIRED, _string)
    resource.take("id", Presence.OPTIONAL, _string)
    resource.take("name", Presence.OPTIONAL, _string)
    return resource.rewritten()


def _user(text: str, field: str) -> str:
    user = _object(text, field)
    user.take("id", Presence.REQUIRED, _uuid)
    user.take("name", Presence.REQUIRED, _string)
    return user.rewritten()


def _metadata(text: str, field: str) -> str:
    _expect("an object", text, field)
    if (deep := deep_json.depth(text)) > METADATA_DEPTH_MAX:
        message = f"{field} is nested {deep} deep, at most {METADATA_DEPTH_MAX} is kept"
        raise FaultError("invalid_value", field, message)
    return text


def _run(text: str, field: str) -> str:
    run = _object(text, field)
    run.take("id", Presence.REQUIRED, _string)
    run.take("status", Presence.REQUIRED, _one_of(STATUSES))
    return run.rewritten()


def _usage(text: str, field: str) -> str:
    usage = _object(text, field)
    usage.take("credits", Presence.NUMBER, _count)
    usage.take("audio_ms", Presence.NUMBER, _count)
    usage.take("languages", Presence.OPTIONAL, _languages)
    return usage.rewritten()


def _languages(text: str, field: str) -> str:
    _expect("an array", text, field)
    elements = deep_json.members(text).items()
    return "[" + ",".join(_language(element, f"{field}[{index}]") for index, element in elements) + "]"


def _language(text: str, field: str) -> str:
    language = _object(text, field)
    language.take("locale", Presence.OPTIONAL, _locale)
    for key in ("characters", "lines", "corrected"):
        language.take(key, Presence.NUMBER, _count)
    return language.rewritten()


def _locale(text: str, field: str) -> str:
    value = _decoded(text, field)
    try:
        formats.locale(value)
    except FormatError:
        message = f"{field} must be a BCP-47 tag such as en-US, not {_shown(text)}"
        raise FaultError("invalid_locale", field, message) from None
    return text


def _count(text: str, field: str) -> str:
    if _kind(text) != "a number" or not _INTEGER(text):
        shown = _shown(text) if _kind(text) in {"a number", "a string"} else _kind(text)
        raise FaultError("invalid_type", field, f"{field} must be a JSON integer, not {shown}")
    if len(text) > len(str(COUNT_MAX)) or not 0 <= int(text) <= COUNT_MAX:
        raise FaultError("invalid_value", field, f"{field} must be from 0 to 10^12, not {_shown(text)}")
    return text


def _object(text: str, field: str) -> _Object:
    _expect("an object", text, field)
    return _Object(text, f"{field}.")


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - fits a line of a terminal
