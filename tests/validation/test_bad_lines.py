"""Every rule that a log line can break: the reason and the field of its rejection."""

import json
from typing import Any

import pytest

from pipeline.validation.records import Row
from tests.support.data_folder import WORKSPACE, record
from tests.support.lines import rejection, spliced, validated, without

BAD: list[tuple[bytes | dict[str, Any], str, str | None]] = [
    (b"{", "invalid_json", None),
    (b"{} {}", "invalid_json", None),
    (b"\x1f\x8b\x08", "invalid_encoding", None),
    (b'{"id":"a\x00b"}', "invalid_json", None),
    (spliced("metadata", '{"a":NaN}'), "invalid_json", None),
    (spliced("metadata", '{"a":Infinity}'), "invalid_json", None),
    (spliced("metadata", '{"a":01}'), "invalid_json", None),
    (b"\xef\xbb\xbf" + json.dumps(record()).encode(), "invalid_json", None),
    (spliced("x", '"\xff"').replace("ÿ".encode(), b"\xff"), "invalid_encoding", None),
    (spliced("x", '"\\ud83d"'), "invalid_encoding", None),
    (spliced("x", '"\\ude00\\ud83d"'), "invalid_encoding", None),
    (spliced("kind", '"\\ud83d"'), "invalid_encoding", None),
    (b"[]", "not_an_object", None),
    (b"null", "not_an_object", None),
    (b'"{}"', "not_an_object", None),
    (b"[" * 100_000 + b"]" * 100_000, "not_an_object", None),
    (b"[" * 100_000, "invalid_json", None),
    (b" " + b"x" * (1 << 20), "line_too_long", None),
    (without("id"), "missing_field", "id"),
    (record(id=None), "invalid_type", "id"),
    (record(id=7), "invalid_type", "id"),
    (record(id=""), "invalid_value", "id"),
    (record(id="x" * 129), "invalid_value", "id"),
    (without("workspace_id"), "missing_field", "workspace_id"),
    (record(workspace_id=WORKSPACE.replace("-", "")), "invalid_value", "workspace_id"),
    (record(workspace_id=f"{{{WORKSPACE}}}"), "invalid_value", "workspace_id"),
    (record(workspace_id=WORKSPACE + "\n"), "invalid_value", "workspace_id"),
    (without("timestamp"), "missing_field", "timestamp"),
    (record(timestamp=1_795_521_600), "invalid_type", "timestamp"),
    (record(timestamp="2026-11-24T10:00:00"), "invalid_value", "timestamp"),
    (record(timestamp="2026-11-24 10:00:00Z"), "invalid_value", "timestamp"),
    (record(timestamp="2026-11-24T10:00:60Z"), "invalid_value", "timestamp"),
    (record(timestamp="2026-11-24T24:00:00Z"), "invalid_value", "timestamp"),
    (record(timestamp="2026-02-29T10:00:00Z"), "invalid_value", "timestamp"),
    (record(timestamp="2026-11-24T10:00:00+24:00"), "invalid_value", "timestamp"),
    (record(timestamp="2026-11-24T10:00:00.Z"), "invalid_value", "timestamp"),
    (record(timestamp="２026-11-24T10:00:00Z"), "invalid_value", "timestamp"),
    (record(timestamp="2010-12-31T23:59:59.999999Z"), "timestamp_out_of_range", "timestamp"),
    (record(timestamp="0000-01-01T00:00:00Z"), "timestamp_out_of_range", "timestamp"),
    (record(timestamp="2026-11-25T12:00:00.000001Z"), "timestamp_out_of_range", "timestamp"),
    (record(recorded_at="yesterday"), "invalid_value", "recorded_at"),
    (record(recorded_at=5), "invalid_type", "recorded_at"),
    (record(action="voice_deleted"), "invalid_value", "action"),
    (without("kind"), "missing_field", "kind"),
    (record(kind=None), "invalid_type", "kind"),
    (without("resource"), "missing_field", "resource"),
    (record(resource=None), "invalid_type", "resource"),
    (record(resource={"id": "v1"}), "missing_field", "resource.type"),
    (record(resource={"type": "voice", "name": 5}), "invalid_type", "resource.name"),
    (record(user="Ada"), "invalid_type", "user"),
    (record(user={"id": "ada", "name": "Ada"}), "invalid_value", "user.id"),
    (record(user={"id": WORKSPACE}), "missing_field", "user.name"),
    (record(metadata=[]), "invalid_type", "metadata"),
    (spliced("metadata", '{"a":' * 129 + "0" + "}" * 129), "invalid_value", "metadata"),
    (spliced("metadata", '{"a":' * 50_000 + "0" + "}" * 50_000), "invalid_value", "metadata"),
    (record(ip=1), "invalid_type", "ip"),
    (record(action="workflow_run"), "missing_field", "run"),
    (record(action="workflow_run", run=None), "invalid_type", "run"),
    (record(run={"status": "completed"}), "missing_field", "run.id"),
    (record(run={"id": "r1", "status": "done"}), "invalid_value", "run.status"),
    (record(usage=[]), "invalid_type", "usage"),
    (record(usage={"credits": "12"}), "invalid_type", "usage.credits"),
    (record(usage={"credits": 12.0}), "invalid_type", "usage.credits"),
    (record(usage={"credits": True}), "invalid_type", "usage.credits"),
    (record(usage={"credits": None}), "invalid_type", "usage.credits"),
    (record(usage={"credits": -1}), "invalid_value", "usage.credits"),
    (record(usage={"credits": 10**12 + 1}), "invalid_value", "usage.credits"),
    (record(usage={"audio_ms": 2**53}), "invalid_value", "usage.audio_ms"),
    (spliced("usage", '{"credits":1e2}'), "invalid_type", "usage.credits"),
    (spliced("usage", '{"credits":1e400}'), "invalid_type", "usage.credits"),
    (spliced("usage", '{"credits":' + "9" * 5000 + "}"), "invalid_value", "usage.credits"),
    (record(usage={"languages": {}}), "invalid_type", "usage.languages"),
    (record(usage={"languages": [None]}), "invalid_type", "usage.languages[0]"),
    (record(usage={"languages": [{}, {"lines": "1"}]}), "invalid_type", "usage.languages[1].lines"),
    (record(usage={"languages": [{"locale": "English (US)"}]}), "invalid_locale", "usage.languages[0].locale"),
    (record(usage={"languages": [{"locale": "e"}]}), "invalid_locale", "usage.languages[0].locale"),
    (record(usage={"languages": [{"locale": "\u212ao-KR"}]}), "invalid_locale", "usage.languages[0].locale"),
    (record(usage={"languages": [{"locale": 7}]}), "invalid_type", "usage.languages[0].locale"),
]


@pytest.mark.parametrize(("line", "reason", "field"), BAD, ids=range(len(BAD)))
def test_bad_lines(line: bytes | dict[str, Any], reason: str, field: str | None) -> None:
    """A line that breaks a rule gets the rule's reason code and the field."""
    assert rejection(line) == (reason, field)


def test_first_field_of_the_table_counts() -> None:
    """If a line has several faults, the first one in the contract's table counts, whatever their order in the line."""
    line = {"usage": {"credits": "x"}, "run": 5, "kind": 5, **record(timestamp="soon")}
    assert rejection(line) == ("invalid_value", "timestamp")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id":"a\tb"}', "Invalid control character at character 9"),
        (b'{"id":"a', "Unterminated string starting at character 7"),
        (b'{"id":"\\x"}', "Invalid \\escape at character 8"),
        (b'{"id":NaN}', "NaN is not a JSON number at character 7"),
        (b'{"a":"Infinity","b":[1, -Infinity]}', "-Infinity is not a JSON number at character 25"),
        (b'{"a":Infinity,}', "Infinity is not a JSON number at character 6"),
    ],
)
def test_the_place_of_a_fault(line: bytes, message: str) -> None:
    """The message says once at which character a line stops being JSON."""
    assert getattr(validated(line), "message", None) == f"not JSON: {message}"


@pytest.mark.parametrize("line", [b"", b"\r", b"  \t ", b"\x0b\x0c"])
def test_blank_lines(line: bytes) -> None:
    """Lines of white space are blank."""
    assert validated(line) is None


def test_torn_line() -> None:
    """A last line without a newline is truncated if it cannot be parsed; otherwise it is a line like any other."""
    line = json.dumps(record(kind="é"), ensure_ascii=False).encode()
    assert rejection(line[:-3], torn=True) == ("truncated_line", None)
    assert rejection(line[: line.index(b"\xa9")], torn=True) == ("truncated_line", None)
    assert isinstance(validated(line, torn=True), Row)
    assert rejection(b'{"id":"\xff"}', torn=True) == ("invalid_encoding", None)
    assert rejection(b"{}", torn=True) == ("missing_field", "id")
