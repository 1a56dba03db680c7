"""All faults of a line: the first is the reason of its rejection, and none is missing or made up."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.formats import instant
from pipeline.validation.records import LINE_BYTES_MAX, Rejection
from pipeline.validation.validate import FAULTS_MAX, faults
from tests.hostile import bad_lines, good_lines
from tests.support.any_lines import FIELDS, LINES, NOISE
from tests.support.data_folder import NOW, WORKSPACE, record
from tests.support.lines import LATEST, spliced, validated

LANGUAGE: Final = {"locale": "de", "characters": 3, "lines": 1, "corrected": 0}
FULL: Final = record(
    recorded_at="2026-11-24T10:00:00Z",
    action="workflow_run",
    user={"id": WORKSPACE, "name": "Ada"},
    metadata={},
    ip="::1",
    run={"id": "r1", "status": "paused"},
    usage={"credits": 1, "audio_ms": 2, "languages": [LANGUAGE, LANGUAGE]},
)
# A bad value of every field that has a rule, in the order of the contract's table; none of them hides another.
PLANTS: Final[dict[str, tuple[Any, str]]] = {
    "id": ("", "invalid_value"),
    "workspace_id": ("w", "invalid_value"),
    "timestamp": ("2010-01-01T00:00:00Z", "timestamp_out_of_range"),
    "recorded_at": (5, "invalid_type"),
    "action": ("dance", "invalid_value"),
    "kind": (None, "invalid_type"),
    "resource.type": (..., "missing_field"),
    "resource.id": (7, "invalid_type"),
    "resource.name": ([], "invalid_type"),
    "user.id": ("ada", "invalid_value"),
    "user.name": (..., "missing_field"),
    "metadata": ([], "invalid_type"),
    "ip": (1, "invalid_type"),
    "run.id": (None, "invalid_type"),
    "run.status": ("done", "invalid_value"),
    "usage.credits": (-1, "invalid_value"),
    "usage.audio_ms": ("2", "invalid_type"),
    **{
        f"usage.languages[{number}].{key}": fault
        for number in range(2)
        for key, fault in {
            "locale": ("e", "invalid_locale"),
            "characters": (1.5, "invalid_type"),
            "lines": (None, "invalid_type"),
            "corrected": (10**13, "invalid_value"),
        }.items()
    },
}


def said(line: bytes | dict[str, Any], **how: Any) -> list[tuple[str, str | None]]:
    """Return the reasons and fields of all faults of a line."""
    found = faults(line if isinstance(line, bytes) else json.dumps(line).encode(), LATEST, **how)
    assert all(fault.message for fault in found)
    return [(fault.reason, fault.field) for fault in found]


def planted(fields: set[str]) -> dict[str, Any]:
    """Return a good record in which some fields are bad."""
    line = json.loads(json.dumps(FULL))
    for field in fields:
        *path, key = field.replace("[", ".").replace("]", "").split(".")
        place = line
        for step in path:
            place = place[int(step) if step.isdigit() else step]
        if PLANTS[field][0] is ...:
            del place[key]
        else:
            place[key] = PLANTS[field][0]
    return line  # type: ignore[no-any-return]


@given(LINES | st.builds(lambda line, at, noise: line[:at] + noise + line[at:], LINES, st.integers(0, 400), NOISE))
def test_the_first_is_the_verdict(line: bytes) -> None:
    """The first fault is the reason of the rejection, whatever the line; a line that is good or blank has none."""
    for torn in (False, True):
        verdict = validated(line, torn=torn)
        found = faults(line, LATEST, torn=torn)
        assert found[:1] == ([verdict] if isinstance(verdict, Rejection) else [])


def test_the_catalogue() -> None:
    """The same holds for every hostile line; no good one has a fault."""
    now = instant(NOW)
    for good in good_lines(now):
        assert faults(good.line, LATEST) == [], good.label
    for bad in (line for line in bad_lines(now) if len(line.line) < 10_000):
        assert faults(bad.line, LATEST, torn=bad.last)[0] == validated(bad.line, torn=bad.last), bad.label


@given(st.sets(st.sampled_from(sorted(PLANTS))))
def test_planted_faults(fields: set[str]) -> None:
    """A line with some independent faults has these and no others, in the order of the contract's table."""
    assert said(planted(fields)) == [(reason, field) for field, (_, reason) in PLANTS.items() if field in fields]


@given(FIELDS)
def test_each_fault_is_one_of_its_own(fields: dict[str, Any]) -> None:
    """A field that has a fault has it too where all other fields are good."""
    found = said(record(**fields))
    alone = [said(record(**{name: value})) for name, value in fields.items()]
    assert sorted(found) == sorted(fault for one in alone for fault in one)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id":"\xe9","kind":5}', ["invalid_encoding", "workspace_id", "timestamp", "action", "kind", "resource"]),
        (b'{"id":"\xe9",}', ["invalid_encoding", "invalid_json"]),
        (b'{"id":"\\ud83d"}', ["invalid_encoding", "workspace_id", "timestamp", "action", "kind", "resource"]),
        (b'"\xe9\\ud83d"', ["invalid_encoding", "invalid_encoding", "not_an_object"]),
        (spliced("metadata", '{"\\ud83d":1}'), ["invalid_encoding"]),
        (spliced("\\ud83d", "1"), ["invalid_encoding"]),
        (spliced("usage", '{"languages":[{},7,{"lines":-1},[]]}'), [f"usage.languages[{n}]" for n in (1, 2, 3)]),
        (b"[]", ["not_an_object"]),
        (b"x" * (LINE_BYTES_MAX + 1), ["line_too_long"]),
        (b" \r", []),
    ],
)
def test_faults_before_the_fields(line: bytes, expected: list[str]) -> None:
    """Characters that are none do not hide the fields; a line that is no object has no fields."""
    found = [(field or reason).removesuffix(".lines") for reason, field in said(line)]
    assert found == expected


def test_a_line_of_faults() -> None:
    """Of more faults than a person reads, the first are returned."""
    line = record(usage={"languages": [{"lines": -1}] * FAULTS_MAX * 2})
    assert said(line)[-1] == ("invalid_value", f"usage.languages[{FAULTS_MAX - 1}].lines")
