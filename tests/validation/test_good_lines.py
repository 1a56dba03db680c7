"""Every rule for good log lines: what may be absent, and in which form values are stored."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract import formats
from pipeline.contract.formats import instant
from tests.support.data_folder import WORKSPACE, record
from tests.support.lines import rejection, row, spliced


def test_defaults() -> None:
    """Optional fields may be absent or null; `recorded_at` is then the timestamp, and numbers are 0."""
    bare = row({key: value for key, value in record().items() if key != "resource"} | {"resource": {"type": "voice"}})
    nulls = row(
        record(
            resource={"type": "voice", "id": None, "name": None},
            recorded_at=None,
            user=None,
            metadata=None,
            ip=None,
            run=None,
            usage=None,
        )
    )
    assert bare == nulls == row(record(resource={"type": "voice"}, usage={"languages": None}))
    assert bare.recorded_at == bare.timestamp == instant("2026-11-24T10:00:00Z")
    assert (bare.credits, bare.audio_ms, bare.languages, bare.metadata) == (0, 0, [], None)


def test_uuids_are_stored_lower_case() -> None:
    """UUIDs come in any case and are stored in lower case."""
    found = row(record(workspace_id=WORKSPACE.upper(), user={"id": WORKSPACE.upper(), "name": "Ada"}))
    assert (found.workspace_id, found.user_id) == (WORKSPACE, WORKSPACE)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-24T15:45:00+05:45", "2026-11-24T10:00:00Z"),
        ("2026-11-24t10:00:00z", "2026-11-24T10:00:00Z"),
        ("2026-11-24T10:00:00-00:00", "2026-11-24T10:00:00Z"),
        ("2026-11-24T10:00:00.1234569Z", "2026-11-24T10:00:00.123456Z"),
        ("2026-11-24T10:00:00.5Z", "2026-11-24T10:00:00.500000Z"),
    ],
)
def test_timestamps(text: str, same: str) -> None:
    """Timestamps are stored as UTC microseconds; further digits are cut off, never rounded."""
    assert row(record(timestamp=text)).timestamp == instant(same)


def test_recorded_at_has_no_range() -> None:
    """Only `timestamp` has a range."""
    assert row(record(recorded_at="0000-01-01T00:00:00Z")).recorded_at == -62_167_219_200_000_000
    assert row(record(recorded_at="9999-12-31T23:59:59-23:59")).recorded_at > instant("9999-12-31T23:59:59Z")


def test_timestamp_bounds() -> None:
    """The first and the last instant of the range are in it."""
    assert row(record(timestamp="2011-01-01T00:00:00Z"))
    assert row(record(timestamp="2026-11-25T12:00:00Z"))


def test_repeated_keys() -> None:
    """The last value of a repeated key counts, even if the first one has a wrong type."""
    assert row(spliced("kind", '"last"')).kind == "last"
    assert row(b'{"kind":5,"user":"x",' + json.dumps(record(user=None)).encode()[1:]).kind == "text_to_speech"
    assert row(spliced("usage", '{"credits":"x","credits":7}')).credits == 7
    assert row(spliced("metadata", '{"a":1,"b":2,"a":3}')).metadata == '{"a":3,"b":2}'
    assert rejection(spliced("kind", "5")) == ("invalid_type", "kind")


def test_unknown_keys() -> None:
    """Unknown keys are ignored in every object, however deep their values are nested."""
    deep = "[" * 200_000 + "]" * 200_000
    plain = row(record(usage={"languages": [{"locale": "de"}]}))
    line = json.dumps(record(usage={"languages": [{"locale": "de", "x": "@"}], "x": 1}, x=[{}]))
    assert row(line.encode()) == plain
    assert row(line.replace('"@"', deep).encode()) == plain
    assert row(line.replace("[{}]", deep).encode()) == plain
    assert rejection(line.replace("[{}]", deep[1:]).encode()) == ("invalid_json", None)


def test_metadata_is_kept() -> None:
    """Metadata keeps its values, the text of numbers and the order of keys, but neither white space nor escapes."""
    text = r'{"z": 1.00, "a" : [1e400, -0, 12345678901234567890123, 0.1e-7], "é\"\u00e9\/": "\ud83d\ude00", "n": null}'
    assert row(spliced("metadata", text)).metadata == (
        '{"z":1.00,"a":[1e400,-0,12345678901234567890123,0.1e-7],"é\\"é/":"😀","n":null}'
    )
    deepest = '{"a":' * 128 + "0" + "}" * 128
    assert row(spliced("metadata", deepest)).metadata == deepest


@pytest.mark.parametrize("sign", ["", "-"])
def test_long_integers(sign: str) -> None:
    """Metadata keeps the text of an integer, however many digits it has."""
    text = '{"a":' + sign + "9" * 5000 + "}"
    assert row(spliced("metadata", text)).metadata == text


def test_languages() -> None:
    """Locales are stored in lower case with `-`. Null, empty and `und` are untagged. Repeated ones add up."""
    languages = [
        {"locale": "UND", "characters": 1},
        {"locale": "pt_BR", "characters": 10, "lines": 1},
        {"locale": None, "corrected": 2},
        {"locale": "de"},
        {"locale": "pt-br", "characters": 5, "corrected": 4},
        {"locale": ""},
    ]
    found = row(record(usage={"credits": 10**12, "languages": languages})).languages
    assert [(item.locale, item.characters, item.lines, item.corrected) for item in found] == [
        ("de", 0, 0, 0),
        ("pt-br", 15, 1, 4),
        (None, 1, 0, 2),
    ]


@given(st.datetimes(), st.integers(0, 999_999), st.integers(-1439, 1439))
def test_instants_agree_with_the_standard_library(moment: datetime, micros: int, offset: int) -> None:
    """The decoder of instants agrees with the standard library where both know the year."""
    moment = moment.replace(microsecond=micros, tzinfo=timezone(timedelta(minutes=offset)))
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert formats.instant(moment.isoformat()) == expected
