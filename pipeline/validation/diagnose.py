"""Find the first fault of a line that could not be decoded in one step, in the order of the contract's table.

Reads the line field by field, and says what is wrong in words that a person can act on. A line may also have no fault:
the first value of a repeated key may be bad, or the value of an unknown key nested deeper than the decoder goes. Such a
line is rewritten with only its known fields.
"""

import json
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import msgspec

from pipeline.contract.tables import STATUSES
from pipeline.validation import checks, deep_json
from pipeline.validation.checks import FaultError
from pipeline.validation.records import RUN_ACTION

_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Presence(Enum):
    """Whether a key may be absent, and whether null counts as absent."""

    REQUIRED = auto()  # neither
    NUMBER = auto()  # it may be absent, but null is a wrong type
    OPTIONAL = auto()  # both


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


def diagnose(line: bytes, latest: int, actions: tuple[str, ...], *, torn: bool) -> bytes:
    """Return the line rewritten with only its known fields.

    Args:
        line: neither blank nor too long.
        latest: the last instant that `timestamp` may have, in microseconds UTC.
        actions: those that are accepted.
        torn: whether the file ends with this line and without a newline.

    Raises:
        FaultError: at the first fault, in the order of the contract's table.
    """
    record = _Object(_text(line, torn=torn))
    record.take("id", Presence.REQUIRED, checks.identifier)
    record.take("workspace_id", Presence.REQUIRED, checks.uuid)
    record.take("timestamp", Presence.REQUIRED, lambda text, field: checks.timestamp(text, field, latest))
    record.take("recorded_at", Presence.OPTIONAL, checks.instant)
    action = record.take("action", Presence.REQUIRED, checks.one_of(actions))
    record.take("kind", Presence.REQUIRED, checks.string)
    record.take("resource", Presence.REQUIRED, _resource)
    record.take("user", Presence.OPTIONAL, _user)
    record.take("metadata", Presence.OPTIONAL, checks.metadata)
    record.take("ip", Presence.OPTIONAL, checks.string)
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
        raise FaultError("invalid_json", None, f"not JSON: {_fault(error)} at character {error.pos + 1}") from None
    if deep_json.has_lone_surrogate(text):
        message = "half of a surrogate pair is escaped; write whole characters"
        raise FaultError("invalid_encoding", None, message)
    text = text.strip(" \t\n\r")
    if not text.startswith("{"):
        raise FaultError("not_an_object", None, f"the line is {checks.kind_of(text)}; write one JSON object a line")
    return text


def _torn() -> FaultError:
    message = "the file ends within this line; it is read again when the file grows"
    return FaultError("truncated_line", None, message)


def _fault(error: json.JSONDecodeError) -> str:
    r"""Return what is wrong without the place, which some messages lead up to: `Invalid control character at`."""
    return error.msg.removesuffix(" at").rstrip(": ")


def _parse(text: str) -> None:
    """Raise JSONDecodeError if a text is not JSON by the strict grammar."""
    try:
        json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except RecursionError:
        deep_json.members(text)
    except _ConstantError as constant:  # the decoder does not say where it is
        try:
            deep_json.members(text)
        except json.JSONDecodeError as error:
            raise json.JSONDecodeError(f"{constant} is not a JSON number", text, error.pos) from None


def _no_constant(name: str) -> None:
    raise _ConstantError(name)


class _ConstantError(Exception):
    """Raised where a line has NaN or Infinity, which JSON does not have."""


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


def _resource(text: str, field: str) -> str:
    resource = _object(text, field)
    resource.take("type", Presence.REQUIRED, checks.string)
    resource.take("id", Presence.OPTIONAL, checks.string)
    resource.take("name", Presence.OPTIONAL, checks.string)
    return resource.rewritten()


def _user(text: str, field: str) -> str:
    user = _object(text, field)
    user.take("id", Presence.REQUIRED, checks.uuid)
    user.take("name", Presence.REQUIRED, checks.string)
    return user.rewritten()


def _run(text: str, field: str) -> str:
    run = _object(text, field)
    run.take("id", Presence.REQUIRED, checks.string)
    run.take("status", Presence.REQUIRED, checks.one_of(STATUSES))
    return run.rewritten()


def _usage(text: str, field: str) -> str:
    usage = _object(text, field)
    usage.take("credits", Presence.NUMBER, checks.count)
    usage.take("audio_ms", Presence.NUMBER, checks.count)
    usage.take("languages", Presence.OPTIONAL, _languages)
    return usage.rewritten()


def _languages(text: str, field: str) -> str:
    checks.expect("an array", text, field)
    elements = deep_json.members(text).items()
    return "[" + ",".join(_language(element, f"{field}[{index}]") for index, element in elements) + "]"


def _language(text: str, field: str) -> str:
    language = _object(text, field)
    language.take("locale", Presence.OPTIONAL, checks.locale)
    for key in ("characters", "lines", "corrected"):
        language.take(key, Presence.NUMBER, checks.count)
    return language.rewritten()


def _object(text: str, field: str) -> _Object:
    checks.expect("an object", text, field)
    return _Object(text, f"{field}.")
