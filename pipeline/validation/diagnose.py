"""Find the faults of a line that could not be decoded in one step, in the order of the contract's table.

Reads the line field by field, and says what is wrong in words that a person can act on. A run asks for the first fault,
a person for all of them: both come from the same checks, which stop where enough faults are found. A line may also have
no fault: the first value of a repeated key may be bad, or the value of an unknown key nested deeper than the decoder
goes. Such a line is rewritten with only its known fields.
"""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Final, NamedTuple

import msgspec

from pipeline.contract.tables import STATUSES
from pipeline.validation import checks, deep_json
from pipeline.validation.checks import Check, EnoughError, FaultError, Faults
from pipeline.validation.line_text import object_text
from pipeline.validation.records import RUN_ACTION, Rejection

_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Presence(Enum):
    """Whether a key may be absent, and whether null counts as absent."""

    REQUIRED = auto()  # neither
    NUMBER = auto()  # it may be absent, but null is a wrong type
    OPTIONAL = auto()  # both


class Diagnosis(NamedTuple):
    """What is wrong with a line.

    Attributes:
        faults: in the order of the contract's table.
        known: the line rewritten with only its known fields; empty if it has faults.
    """

    faults: list[Rejection]
    known: bytes


class _Object:
    """One object of a line: its members as they are written, and the checked ones to rewrite it from.

    Every method that checks may raise EnoughError.
    """

    def __init__(self, text: str, faults: Faults, path: str = "") -> None:
        self._path, self._faults = path, faults
        self._members = _members(text)
        self._checked: dict[str, str] = {}

    def take(self, key: str, presence: Presence, check: Check) -> str | None:
        """Check one member and return its text; None if it is absent, or null and optional, or has a fault.

        Args:
            key: of the member.
            presence: whether it may be absent or null.
            check: takes the text of the value and the name of the field, and returns the text to keep.
        """
        field = self._path + key
        text = self._members.get(key)
        if text is None:
            if presence is Presence.REQUIRED:
                self._faults.add(Rejection("missing_field", field, f"{field} is required but absent"))
            return None
        if text == "null" and presence is Presence.OPTIONAL:
            return None
        found = self._check(check, text, field)
        if found is not None:
            self._checked[key] = found
        return found

    def take_object(self, key: str, presence: Presence, take_members: Callable[["_Object"], None]) -> None:
        """Check a member that is an object.

        Args:
            key: of the member.
            presence: whether it may be absent or null.
            take_members: checks the members of the object.
        """
        self.take(key, presence, lambda text, field: self._object(text, field, take_members))

    def take_objects(self, key: str, presence: Presence, take_members: Callable[["_Object"], None]) -> None:
        """Check a member that is an array of objects; the arguments are those of `take_object`."""

        def check(text: str, field: str) -> str:
            checks.expect("an array", text, field)
            elements = deep_json.members(text).items()
            found = (self._check(check_one, element, f"{field}[{index}]") for index, element in elements)
            return "[" + ",".join(element or "" for element in found) + "]"

        def check_one(text: str, field: str) -> str:
            return self._object(text, field, take_members)

        self.take(key, presence, check)

    def rewritten(self) -> str:
        """Return the object with only its checked members."""
        return "{" + ",".join(f'"{key}":{text}' for key, text in self._checked.items()) + "}"

    def _check(self, check: Check, text: str, field: str) -> str | None:
        """Return the text to keep of a value; None if it has a fault."""
        try:
            return check(text, field)
        except FaultError as fault:
            self._faults.add(fault.rejection)
            return None

    def _object(self, text: str, field: str, take_members: Callable[["_Object"], None]) -> str:
        checks.expect("an object", text, field)
        found = _Object(text, self._faults, f"{field}.")
        take_members(found)
        return found.rewritten()


def diagnose(line: bytes, latest: int, actions: tuple[str, ...], *, torn: bool, most: int = 1) -> Diagnosis:
    """Return the first faults of a line, or the line rewritten with only its known fields.

    Whatever makes a line something else than a JSON object is its last fault: nothing can be said of its fields.

    Args:
        line: neither blank nor too long.
        latest: the last instant that `timestamp` may have, in microseconds UTC.
        actions: those that are accepted.
        torn: whether the file ends with this line and without a newline.
        most: how many faults to look for.
    """
    faults, known = Faults(most), ""
    with suppress(EnoughError):
        try:
            known = _known(object_text(line, faults, torn=torn), latest, actions, faults)
        except FaultError as fault:
            faults.add(fault.rejection)
    return Diagnosis(faults.found, b"" if faults.found else known.encode())


def _known(text: str, latest: int, actions: tuple[str, ...], faults: Faults) -> str:
    """Check all fields of a line, and return it with only these fields.

    Raises:
        EnoughError: there are as many faults as are wanted.
    """
    record = _Object(text, faults)
    record.take("id", Presence.REQUIRED, checks.identifier)
    record.take("workspace_id", Presence.REQUIRED, checks.uuid)
    record.take("timestamp", Presence.REQUIRED, lambda text, field: checks.timestamp(text, field, latest))
    record.take("recorded_at", Presence.OPTIONAL, checks.instant)
    action = record.take("action", Presence.REQUIRED, checks.one_of(actions))
    record.take("kind", Presence.REQUIRED, checks.string)
    record.take_object("resource", Presence.REQUIRED, _take_resource)
    record.take_object("user", Presence.OPTIONAL, _take_user)
    record.take("metadata", Presence.OPTIONAL, checks.metadata)
    record.take("ip", Presence.OPTIONAL, checks.string)
    needs_run = action == f'"{RUN_ACTION}"'
    record.take_object("run", Presence.REQUIRED if needs_run else Presence.OPTIONAL, _take_run)
    record.take_object("usage", Presence.OPTIONAL, _take_usage)
    return record.rewritten()


def _members(text: str) -> dict[str, str]:
    try:
        return {key: bytes(value).decode() for key, value in _RAW_MEMBERS(text.encode()).items()}
    except RecursionError:
        return deep_json.members(text)


def _take_resource(resource: _Object) -> None:
    resource.take("type", Presence.REQUIRED, checks.string)
    resource.take("id", Presence.OPTIONAL, checks.string)
    resource.take("name", Presence.OPTIONAL, checks.string)


def _take_user(user: _Object) -> None:
    user.take("id", Presence.REQUIRED, checks.uuid)
    user.take("name", Presence.REQUIRED, checks.string)


def _take_run(run: _Object) -> None:
    run.take("id", Presence.REQUIRED, checks.string)
    run.take("status", Presence.REQUIRED, checks.one_of(STATUSES))


def _take_usage(usage: _Object) -> None:
    usage.take("credits", Presence.NUMBER, checks.count)
    usage.take("audio_ms", Presence.NUMBER, checks.count)
    usage.take_objects("languages", Presence.OPTIONAL, _take_language)


def _take_language(language: _Object) -> None:
    language.take("locale", Presence.OPTIONAL, checks.locale)
    for key in ("characters", "lines", "corrected"):
        language.take(key, Presence.NUMBER, checks.count)
