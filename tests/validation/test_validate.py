"""Every rule of a log line: what is taken, how it is stored, and which reason and field a bad one gets."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract import formats
from pipeline.contract.formats import instant
from pipeline.validation import deep_json
from pipeline.validation.diagnose import FaultError, diagnose
from pipeline.validation.records import Rejection, Row
from pipeline.validation.validate import validate
from tests.support.data_folder import NOW, WORKSPACE, record

LATEST = instant(NOW) + 86_400_000_000


def verdict(line: bytes | dict[str, Any], *, torn: bool = False) -> Row | Rejection | None:
    """Judge a line or a record."""
    return validate(line if isinstance(line, bytes) else json.dumps(line).encode(), LATEST, torn=torn)


def row(line: bytes | dict[str, Any]) -> Row:
    """Judge a line that must be good."""
    found = verdict(line)
    assert isinstance(found, Row), found
    return found


def rejection(line: bytes | dict[str, Any], *, torn: bool = False) -> tuple[str, str | None]:
    """Judge a line that must be bad: its reason and field."""
    found = verdict(line, torn=torn)
    assert isinstance(found, Rejection), found
    assert found.message
    return found.reason, found.field


def without(key: str) -> dict[str, Any]:
    """Return a record without one key."""
    return {name: value for name, value in record().items() if name != key}


def spliced(key: str, raw: str) -> bytes:
    """Return a record's line with one more member, as it is written."""
    return json.dumps(record())[:-1].encode() + f',"{key}":{raw}}}'.encode()


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
    """With several faults the first field of the contract's table counts, whatever the order in the line."""
    line = {"usage": {"credits": "x"}, "run": 5, "kind": 5, **record(timestamp="soon")}
    assert rejection(line) == ("invalid_value", "timestamp")


@pytest.mark.parametrize("line", [b"", b"\r", b"  \t ", b"\x0b\x0c"])
def test_blank_lines(line: bytes) -> None:
    """Lines of white space are blank."""
    assert verdict(line) is None


def test_torn_line() -> None:
    """An unparsable last line without newline is truncated, a parsable one is a line like others."""
    line = json.dumps(record(kind="é"), ensure_ascii=False).encode()
    assert rejection(line[:-3], torn=True) == ("truncated_line", None)
    assert rejection(line[: line.index(b"\xa9")], torn=True) == ("truncated_line", None)
    assert isinstance(verdict(line, torn=True), Row)
    assert rejection(b'{"id":"\xff"}', torn=True) == ("invalid_encoding", None)
    assert rejection(b"{}", torn=True) == ("missing_field", "id")


def test_defaults() -> None:
    """What is optional may be absent or null; recorded_at is then the timestamp, numbers are 0."""
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
    """Of a repeated key the last counts, even when the first is of a wrong type."""
    assert row(spliced("kind", '"last"')).kind == "last"
    assert row(b'{"kind":5,"user":"x",' + json.dumps(record(user=None)).encode()[1:]).kind == "text_to_speech"
    assert row(spliced("usage", '{"credits":"x","credits":7}')).credits == 7
    assert row(spliced("metadata", '{"a":1,"b":2,"a":3}')).metadata == '{"a":3,"b":2}'
    assert rejection(spliced("kind", "5")) == ("invalid_type", "kind")


def test_unknown_keys() -> None:
    """Unknown keys are ignored wherever they stand and however deep they are nested."""
    deep = "[" * 200_000 + "]" * 200_000
    plain = row(record(usage={"languages": [{"locale": "de"}]}))
    line = json.dumps(record(usage={"languages": [{"locale": "de", "x": "@"}], "x": 1}, x=[{}]))
    assert row(line.encode()) == plain
    assert row(line.replace('"@"', deep).encode()) == plain
    assert row(line.replace("[{}]", deep).encode()) == plain
    assert rejection(line.replace("[{}]", deep[1:]).encode()) == ("invalid_json", None)


def test_metadata_is_kept() -> None:
    """Values, number text and key order of metadata are kept; white space and escapes are not."""
    text = r'{"z": 1.00, "a" : [1e400, -0, 12345678901234567890123, 0.1e-7], "é\"\u00e9\/": "\ud83d\ude00", "n": null}'
    assert row(spliced("metadata", text)).metadata == (
        '{"z":1.00,"a":[1e400,-0,12345678901234567890123,0.1e-7],"é\\"é/":"😀","n":null}'
    )
    deepest = '{"a":' * 128 + "0" + "}" * 128
    assert row(spliced("metadata", deepest)).metadata == deepest


def test_languages() -> None:
    """Locales are lower case with `-`; null, empty and `und` are untagged; the same one twice adds up."""
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


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**14), 10**14)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("e1") | VALUES,
        "timestamp": st.sampled_from(["2026-11-24T10:00:00Z", "2010-11-24T10:00:00Z", "2026-11-24"]) | VALUES,
        "recorded_at": VALUES,
        "kind": VALUES,
        "user": VALUES | st.fixed_dictionaries({"id": st.just(WORKSPACE) | VALUES, "name": VALUES}),
        "metadata": st.dictionaries(st.text(max_size=4), VALUES) | VALUES,
        "run": st.fixed_dictionaries({"id": VALUES, "status": st.just("paused") | VALUES}) | VALUES,
        "usage": st.fixed_dictionaries(
            {},
            optional={
                "credits": st.integers(0, 9) | VALUES,
                "languages": st.lists(st.fixed_dictionaries({"locale": st.sampled_from(["de", "en_US"]) | VALUES}))
                | VALUES,
            },
        )
        | VALUES,
        "x": VALUES,
    },
)


@given(FIELDS, st.booleans())
def test_two_ways_one_verdict(fields: dict[str, Any], ascii_only: bool) -> None:
    """What is approved at once is what the examiner finds no fault in, with the same row."""
    line = json.dumps({**record(), **fields}, ensure_ascii=ascii_only).encode()
    found = verdict(line)
    try:
        known = diagnose(line, LATEST, torn=False)
    except FaultError as fault:
        assert found == fault.rejection
    else:
        assert found == row(known)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.integers(0, 400), st.booleans())
def test_any_bytes_get_a_verdict(noise: bytes, position: int, torn: bool) -> None:
    """No bytes, alone or within a good line, stop the judge."""
    line = json.dumps(record(user={"id": WORKSPACE, "name": "Zoë"}), ensure_ascii=False).encode()
    for text in (noise, line[:position] + noise + line[position:], line[:position]):
        verdict(text.replace(b"\n", b""), torn=torn)


@given(VALUES, st.sampled_from([None, 1]))
def test_scanner_reads_members(value: Any, indent: int | None) -> None:
    """The scanner finds the members that the standard decoder finds."""
    found = {key: json.loads(text) for key, text in deep_json.members(json.dumps(value, indent=indent)).items()}
    if isinstance(value, dict):
        assert found == value
    elif isinstance(value, list):
        assert list(found.values()) == value
    else:
        assert found == {}


@given(VALUES, st.integers(0, 80), st.sampled_from('{}[],:"\\ 0-1.eEtnu\n'), st.integers(0, 2))
def test_scanner_knows_the_grammar(value: Any, position: int, character: str, cut: int) -> None:
    """The scanner takes exactly the texts that the standard decoder takes."""
    text = json.dumps(value)
    text = text[:position] + character + text[position + cut :]

    def well_formed(reader: Any) -> bool:
        try:
            reader(text)
        except ValueError:
            return False
        return True

    assert well_formed(deep_json.members) == well_formed(json.loads)


@given(st.datetimes(), st.integers(0, 999_999), st.integers(-1439, 1439))
def test_instants_agree_with_the_standard_library(moment: Any, micros: int, offset: int) -> None:
    """The decoder of instants agrees with the standard library where both know the year."""
    from datetime import UTC, datetime, timedelta, timezone  # noqa: PLC0415

    moment = moment.replace(microsecond=micros, tzinfo=timezone(timedelta(minutes=offset)))
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert formats.instant(moment.isoformat()) == expected
