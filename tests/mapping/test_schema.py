"""docs/log-line.schema.json: a line that the schema refuses is rejected, and it accepts all that is good."""

import json
from typing import Any, Final

import jsonschema_rs
import pytest
from hypothesis import given

from pipeline.validation.records import Row
from tests.support.any_lines import LINES
from tests.support.data_folder import record
from tests.support.lines import validated
from tests.support.project import ROOT

SCHEMA: Final = jsonschema_rs.validator_for(json.loads((ROOT / "docs/log-line.schema.json").read_text("utf-8")))
GOOD: Final[list[dict[str, Any]]] = [
    {},
    {"user": None, "run": None, "action": "settings_changed", "usage": None, "metadata": None, "ip": None},
    {"usage": {"credits": 10**12, "languages": [{"locale": "EN_us"}, {"locale": ""}, {"locale": None}, {}]}},
    {"recorded_at": "2026-11-24T10:00:00.123456789+05:45", "unknown": {"a": [1]}},
    {"resource": {"type": "", "id": None, "name": None, "more": 1}},
]
BAD: Final[list[dict[str, Any]]] = [
    {"id": ""},
    {"id": "x" * 129},
    {"workspace_id": "6f9619ff8b864d01b42d00cf4fc964ff"},
    {"timestamp": "2026-11-24 10:00:00Z"},
    {"timestamp": "2026-11-24T10:00:00"},
    {"timestamp": "2026-11-24T10:00:60Z"},
    {"action": "Workflow"},
    {"action": "workflow_run", "run": None},
    {"resource": {}},
    {"user": {"id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"}},
    {"run": {"id": "r", "status": "done"}},
    {"metadata": []},
    {"usage": {"credits": -1}},
    {"usage": {"credits": 10**12 + 1}},
    {"usage": {"credits": None}},
    {"usage": {"credits": "1"}},
    {"usage": {"languages": [{"locale": "e"}]}},
]


@pytest.mark.parametrize("fields", GOOD)
def test_good_lines(fields: dict[str, Any]) -> None:
    """The schema and the validator accept what is good."""
    line = {**record(), **fields}
    assert isinstance(validated(line), Row)
    assert SCHEMA.is_valid(line)


@pytest.mark.parametrize("fields", BAD)
def test_bad_lines(fields: dict[str, Any]) -> None:
    """The schema and the validator refuse what is bad."""
    line = {**record(), **fields}
    assert not isinstance(validated(line), Row)
    assert not SCHEMA.is_valid(line)


@given(LINES)
def test_any_line(line: bytes) -> None:
    """The schema refuses no line that is good."""
    if isinstance(validated(line), Row):
        assert SCHEMA.is_valid(json.loads(line))


@pytest.mark.parametrize("key", ["id", "workspace_id", "timestamp", "action", "kind", "resource"])
def test_required(key: str) -> None:
    """What the validator requires, the schema requires."""
    assert not SCHEMA.is_valid({name: value for name, value in record().items() if name != key})
