"""Validate one line of a raw log by the contract: a good record, a blank line, or a reason and a field."""

import re
from dataclasses import dataclass

from tests.oracle.events import STATUSES, Amounts, Event
from tests.oracle.instants import DAY_US, read_instant
from tests.oracle.json_text import NotJson, Number, Value, measure_depth, parse, write

LINE_LIMIT_BYTES = 1_048_576
AMOUNT_LIMIT = 10**12
DEPTH_LIMIT = 128
EARLIEST_US = 1_293_840_000_000_000  # 2011-01-01T00:00:00Z
ACTIONS = (
    "workflow_run",
    "voice_generated",
    "template_applied",
    "member_invited",
    "api_key_created",
    "settings_changed",
)

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_LOCALE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")

Fields = dict[str, Value]


@dataclass(frozen=True)
class Verdict:
    """The result of a line: a good line has `event`, a bad line `reason` and perhaps `field`, a blank line nothing."""

    event: Event | None = None
    reason: str | None = None
    field: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether the line is blank."""
        return self.event is None and self.reason is None


class _Fault(Exception):  # noqa: N818 - a fault of the line, not of the program
    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason, field)
        self.verdict = Verdict(reason=reason, field=field)


def validate(line: bytes, *, last: bool, run_start_us: int) -> Verdict:
    """Validate a line without its newline. `last` means that the line ends its file without a newline."""
    line = line if last else line.removesuffix(b"\r")
    if not line.strip(b" \t\r"):
        return Verdict()
    if len(line) > LINE_LIMIT_BYTES:
        return Verdict(reason="line_too_long")
    try:
        return Verdict(event=_read_record(_read_object(line, last=last), run_start_us))
    except _Fault as fault:
        return fault.verdict


def _read_object(line: bytes, *, last: bool) -> Fields:
    try:
        value, lone_surrogate = parse(line.decode())
    except UnicodeDecodeError:
        raise _Fault("truncated_line" if last else "invalid_encoding") from None
    except NotJson:
        raise _Fault("truncated_line" if last else "invalid_json") from None
    if lone_surrogate:
        raise _Fault("invalid_encoding")
    if not isinstance(value, dict):
        raise _Fault("not_an_object")
    return value


def _read_record(record: Fields, run_start_us: int) -> Event:
    """Read the fields in the order of the contract's table, so that the first fault is the one reported."""
    identifier = _required_text(record, "id")
    if not 1 <= len(identifier) <= 128:
        raise _Fault("invalid_value", "id")
    workspace_id = _uuid(record, "workspace_id")
    timestamp = _instant(_required_text(record, "timestamp"), "timestamp")
    if not EARLIEST_US <= timestamp <= run_start_us + DAY_US:
        raise _Fault("timestamp_out_of_range", "timestamp")
    recorded_text = _optional_text(record, "recorded_at")
    recorded_at = timestamp if recorded_text is None else _instant(recorded_text, "recorded_at")
    action = _choice(record, "action", ACTIONS)
    kind = _required_text(record, "kind")
    resource = _required_object(record, "resource")
    resource_type = _required_text(resource, "type", "resource.")
    resource_id = _optional_text(resource, "id", "resource.")
    resource_name = _optional_text(resource, "name", "resource.")
    user = _optional_object(record, "user")
    user_id = None if user is None else _uuid(user, "id", "user.")
    user_name = None if user is None else _required_text(user, "name", "user.")
    metadata = _optional_object(record, "metadata")
    if measure_depth(metadata) > DEPTH_LIMIT:
        raise _Fault("invalid_value", "metadata")
    ip = _optional_text(record, "ip")
    run = _required_object(record, "run") if action == "workflow_run" else _optional_object(record, "run")
    run_id = None if run is None else _required_text(run, "id", "run.")
    run_status = None if run is None else _choice(run, "status", STATUSES, "run.")
    usage = _optional_object(record, "usage") or {}
    return Event(
        workspace_id=workspace_id,
        id=identifier,
        timestamp=timestamp,
        recorded_at=recorded_at,
        action=action,
        kind=kind,
        resource_type=resource_type,
        resource_id=resource_id,
        resource_name=resource_name,
        user_id=user_id,
        user_name=user_name,
        metadata=None if metadata is None else write(metadata),
        ip=ip,
        run_id=run_id,
        run_status=run_status,
        credits=_amount(usage, "credits", "usage."),
        audio_ms=_amount(usage, "audio_ms", "usage."),
        languages=_languages(usage),
    )


def _languages(usage: Fields) -> dict[str | None, Amounts]:
    languages = usage.get("languages")
    if languages is None:
        return {}
    if not isinstance(languages, list):
        raise _Fault("invalid_type", "usage.languages")
    merged: dict[str | None, Amounts] = {}
    for index, language in enumerate(languages):
        path = f"usage.languages[{index}]"
        if not isinstance(language, dict):
            raise _Fault("invalid_type", path)
        locale = _locale(language, f"{path}.")
        characters, lines, corrected = (
            _amount(language, name, f"{path}.") for name in ("characters", "lines", "corrected")
        )
        before = merged.get(locale, Amounts(0, 0, 0))
        merged[locale] = Amounts(before.characters + characters, before.lines + lines, before.corrected + corrected)
    return merged


def _locale(language: Fields, path: str) -> str | None:
    text = _optional_text(language, "locale", path)
    if not text:
        return None
    locale = text.lower().replace("_", "-")
    if not text.isascii() or not _LOCALE.fullmatch(locale):
        raise _Fault("invalid_locale", f"{path}locale")
    return None if locale == "und" else locale


def _amount(owner: Fields, name: str, path: str) -> int:
    value = owner.get(name, Number("0"))
    if not isinstance(value, Number) or not value.is_integer:
        raise _Fault("invalid_type", path + name)
    if len(value.text) > len(str(AMOUNT_LIMIT)) or not 0 <= int(value.text) <= AMOUNT_LIMIT:
        raise _Fault("invalid_value", path + name)
    return int(value.text)


def _instant(text: str, field: str) -> int:
    instant_us = read_instant(text)
    if instant_us is None:
        raise _Fault("invalid_value", field)
    return instant_us


def _required(owner: Fields, name: str, path: str) -> Value:
    if name not in owner:
        raise _Fault("missing_field", path + name)
    return owner[name]


def _required_text(owner: Fields, name: str, path: str = "") -> str:
    value = _required(owner, name, path)
    if not isinstance(value, str):
        raise _Fault("invalid_type", path + name)
    return value


def _optional_text(owner: Fields, name: str, path: str = "") -> str | None:
    return None if owner.get(name) is None else _required_text(owner, name, path)


def _required_object(owner: Fields, name: str, path: str = "") -> Fields:
    value = _required(owner, name, path)
    if not isinstance(value, dict):
        raise _Fault("invalid_type", path + name)
    return value


def _optional_object(owner: Fields, name: str, path: str = "") -> Fields | None:
    return None if owner.get(name) is None else _required_object(owner, name, path)


def _choice(owner: Fields, name: str, choices: tuple[str, ...], path: str = "") -> str:
    value = _required_text(owner, name, path)
    if value not in choices:
        raise _Fault("invalid_value", path + name)
    return value


def _uuid(owner: Fields, name: str, path: str = "") -> str:
    value = _required_text(owner, name, path)
    if not _UUID.fullmatch(value):
        raise _Fault("invalid_value", path + name)
    return value.lower()
