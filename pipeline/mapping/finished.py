"""A finished line to copy: what is good of a producer's line, completed with an example.

Pure: reads and writes nothing.
"""

from typing import Any, Final

import msgspec

from pipeline.contract.calendar import rfc3339
from pipeline.contract.tables import STATUSES
from pipeline.mapping.lenient import object_of
from pipeline.mapping.nearest import nearest
from pipeline.validation.records import Row
from pipeline.validation.validate import AHEAD_US, validate

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "evt_1",
    "workspace_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "timestamp": "",
    "action": "workflow_run",
    "kind": "workflow_execution",
    "resource": {"type": "workflow", "id": "wf_1", "name": "Weekly news"},
    "user": {"id": "0b5e1c3a-0000-4000-8000-000000000001", "name": "Ada"},
    "metadata": {},
    "run": {"id": "run_1", "status": "completed"},
    "usage": {"credits": 1, "audio_ms": 0, "languages": [{"locale": "en-US", "characters": 1, "lines": 1}]},
}
_OPTIONAL: Final = ("recorded_at", "ip")


def finished(line: bytes, latest: int, actions: tuple[str, ...]) -> bytes:
    """Return a good line that has every value of a line that may stay, under the names of the contract.

    Args:
        line: a producer's; if it is no JSON object, the result is an example.
        latest: the last instant that `timestamp` may have, in microseconds UTC.
        actions: those that are accepted.
    """
    given = object_of(line)
    record = {**_EXAMPLE, "timestamp": rfc3339(latest - AHEAD_US)}
    fields = (*_EXAMPLE, *_OPTIONAL)
    for key, value in _renamed(given, fields).items():
        value = _meant(key, value, actions)  # noqa: PLW2901 - the value that was meant
        if _is_good({**record, key: value}, latest, actions):
            record[key] = value
        elif isinstance(value, dict) and isinstance(record.get(key), dict):
            record[key] = _completed(record, key, value, latest, actions)
    ordered = {key: record[key] for key in ("id", "workspace_id", "timestamp", *_OPTIONAL, *_EXAMPLE) if key in record}
    return msgspec.json.encode(ordered)


def _completed(
    record: dict[str, Any], name: str, given: dict[str, Any], latest: int, actions: tuple[str, ...]
) -> dict[str, Any]:
    """Return an object of the example with the good values of a given one."""
    found = dict(record[name])
    for key, value in _renamed(given, tuple(found)).items():
        tried = {**found, key: _meant(f"{name}.{key}", value, actions)}
        if _is_good({**record, name: tried}, latest, actions):
            found = tried
    return found


def _renamed(given: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Return values by the field that each is, or was probably meant to be."""
    found = {key: given[key] for key in fields if key in given}
    for key, value in given.items():
        if key not in fields and (field := nearest(key, fields)) and field not in found:
            found[field] = value
    return found


def _meant(path: str, value: Any, actions: tuple[str, ...]) -> Any:
    """Return the allowed value that was probably meant."""
    allowed = {"action": actions, "run.status": STATUSES}.get(path)
    if allowed is None or not isinstance(value, str) or value in allowed:
        return value
    return nearest(value, allowed) or value


def _is_good(record: dict[str, Any], latest: int, actions: tuple[str, ...]) -> bool:
    return isinstance(validate(msgspec.json.encode(record), latest, actions=actions), Row)
