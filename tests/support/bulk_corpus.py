"""Lines that the native validator must approve or hand back, and a comparison of its rows with those of `validate`."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pytest

from pipeline.contract.actions import ACTIONS
from pipeline.validation import native
from pipeline.validation.bulk import batch, new_validator
from pipeline.validation.native import Library
from pipeline.validation.records import LINE_BYTES_MAX, Row
from pipeline.validation.validate import validate
from tests.support.data_folder import WORKSPACE, record
from tests.support.lines import LATEST, line, nested, spliced

SOURCE = 7
NEEDS_LIBRARY = pytest.mark.skipif(native.LIBRARY is None, reason=f"no compiled library: {native.UNAVAILABLE}")

# Good lines of the catalogue in `tests.hostile` that are handed back: repeated keys, escaped keys, deep nesting in
# unknown keys, and the number -0, which no producer writes.
HANDED_BACK_LABELS = {
    "repeated key",
    "escaped keys",
    'metadata {"a":{"x":1},"a":2}',
    'metadata {"\\u00e9\\/":"\\ud83d\\',
    "unknown deep list",
    "unknown deep object",
    "usage.credits -0",
    "usage.audio_ms -0",
}


def approve(
    block: Sequence[bytes], library: Library | None = native.LIBRARY, actions: tuple[str, ...] = ACTIONS
) -> tuple[pa.RecordBatch, list[int]]:
    """Return the rows of the lines of a block that are approved, and the numbers of those that are handed back."""
    content = b"".join(text + b"\n" for text in block)
    validator = new_validator(LATEST, len(content), library, actions)
    count, handed_back = validator.add(content, SOURCE)
    assert count == len(block)
    assert [text for _, text in handed_back] == [block[number] for number, _ in handed_back]
    return validator.take(np.arange(len(validator))), [number for number, _ in handed_back]


def approved(block: Sequence[bytes], library: Library | None = native.LIBRARY) -> list[int]:
    """Return the numbers of a block's approved lines, after asserting that `validate` gives the same row for each."""
    rows, handed_back = approve(block, library)
    rows.validate(full=True)
    assert handed_back == sorted(set(handed_back))
    found = sorted(set(range(len(block))).difference(handed_back))
    assert len(found) + len(handed_back) == len(block)
    outcomes = [_outcome(block[number]) for number in found]
    assert [outcome for outcome in outcomes if not isinstance(outcome, Row)] == []
    expected = batch([outcome for outcome in outcomes if isinstance(outcome, Row)], SOURCE)
    assert rows.equals(expected), f"{rows.to_string()} is not {expected.to_string()}"
    return found


@lru_cache(200)  # the same lines come among many others
def _outcome(text: bytes) -> object:
    return validate(text, LATEST)


LOCALES = [{"locale": "pt_BR", "lines": 1}, {"locale": "UND", "lines": 2}, {"locale": "PT-br", "lines": 4}, {}]
GOOD: dict[str, bytes] = {
    "plain": line(),
    "nanoseconds": line(timestamp="2026-11-24T10:00:00.999999999Z", recorded_at="2026-11-24T10:00:00.1234567+05:45"),
    "small letters": line(timestamp="2026-11-24t10:00:00.5z"),
    "offset over midnight": line(timestamp="2026-11-25T23:59:59.123456+23:59"),
    "offset of nothing": line(timestamp="2026-11-24T10:00:00-00:00"),
    "the first instant": line(timestamp="2010-12-31T23:59:00-00:01"),
    "the last instant": line(timestamp="2026-11-25T12:00:00.0000009Z"),
    "recorded in year 0": line(recorded_at="0000-02-29T00:00:00+23:59"),
    "recorded in year 9999": line(recorded_at="9999-12-31T23:59:59.9999999-23:59"),
    "recorded never": line(recorded_at=None),
    "id of zeros": line(id_="\0"),
    "minus zero": spliced("metadata", '{"a":-0,"b":[-0 ],"c":"-0,","d":-0.0}'),
    "minus zero in a text": spliced("metadata", '{"-0,":"\\u007f\\/ -0]"}'),
    "odd numbers": spliced("metadata", '{"a":1.00,"b":1E400,"c":18446744073709551616,"d":-9223372036854775809}'),
    "deepest metadata": spliced("metadata", '{"a":' + nested(127) + "}"),
    "brackets in a text": spliced("metadata", '{"a":"' + "[" * 500 + '\\"' + "{" * 500 + '"}'),
    "escaped marks in metadata": spliced("metadata", '{"a":"\\u0022\\u005C\\u005c\\u0022"}'),
    "null metadata": spliced("metadata", "null"),
    "locales twice": line(usage={"credits": 3, "languages": LOCALES}),
    "no languages": line(usage={"languages": []}),
    "32 languages": line(usage={"languages": [{"locale": f"de-x{number:02}"} for number in range(32, 0, -1)]}),
    "64 keys in metadata": spliced("metadata", json.dumps({str(number): number for number in range(64)})),
    "carriage return": line() + b"\r",
    "1 MiB": line()[:-1] + b" " * (LINE_BYTES_MAX - len(line())) + b"}",
    "pair of surrogates": spliced("x", '"\\ud83d\\ude00"'),
    "escaped texts": line(kind='\0\t"\\/', user={"id": WORKSPACE, "name": "Zoë\U0001f600"}, ip="\ud7ff\ue000"),
}
HANDED_BACK: dict[str, bytes] = {
    "33 languages": line(usage={"languages": [{"locale": f"de-x{number:02}"} for number in range(33)]}),
    "65 keys in metadata": spliced("metadata", json.dumps({str(number): number for number in range(65)})),
    "repeated keys": spliced("kind", '"last"')[:-1] + b',"usage":null,"usage":{"credits":1,"credits":2}}',
    "repeated keys in metadata": spliced("metadata", '{"a":1,"b":[],"a":{"c":1,"c":2}}'),
    "escaped key": line().replace(b'"id"', b'"\\u0069d"', 1),
    "a key again, escaped, in metadata": spliced("metadata", '{"a":1,"\\u0061":2}'),
    "escaped controls in metadata": spliced("metadata", '{"a":"\\u0001\\u001F"}'),
}
BAD: dict[str, bytes] = {
    "31st of April in a leap year": line(timestamp="2024-04-31T10:00:00Z"),
    "half a pair before another character": spliced("x", '"\\ud83d\\ue000"'),
    "zero before a number": spliced("usage", '{"credits":01}'),
    "too short a sequence for a character": spliced("x", '"@"').replace(b"@", b"\xe0\x9f\xbf"),
    "a character behind the last one": spliced("x", '"@"').replace(b"@", b"\xf5\x80\x80\x80"),
    "30th of February": line(timestamp="2026-02-30T10:00:00Z"),
    "29th of February": line(recorded_at="2026-02-29T10:00:00.1234567Z"),
    "second 60": line(timestamp="2016-12-31T23:59:60Z"),
    "no offset": line(timestamp="2026-11-24T10:00:00"),
    "ends of lines in an instant": line(recorded_at="2026-11-24T10:00:00Z\n"),
    "zeros in an instant": line(recorded_at="2026-11-24T10:00:00Z\0"),
    "other digits": line(timestamp="２026-11-24T10:00:00Z"),
    "too early": line(timestamp="2011-01-01T00:00:00+00:01"),
    "too late": line(timestamp="2026-11-25T12:00:00.000001Z"),
    "year 0": line(timestamp="0000-01-01T00:00:00Z"),
    "year 9999": line(timestamp="9999-12-31T23:59:59Z"),
    "zero for a workspace": line(workspace_id="\0"),
    "zero for a user": line(user={"id": "\0", "name": ""}),
    "zero for a locale": line(usage={"languages": [{"locale": "de"}, {"locale": "\0"}]}),
    "Kelvin's locale": line(usage={"languages": [{"locale": "\u212ao"}]}),
    "no run": line(action="workflow_run"),
    "null run": line(action="workflow_run", run=None),
    "last of repeated keys": spliced("kind", "5"),
    "metadata too deep": spliced("metadata", '{"a":' + nested(128) + "}"),
    "metadata much too deep": spliced("metadata", '{"a":' + nested(50_000) + "}"),
    "metadata an array": spliced("metadata", "[]"),
    "metadata not a number": spliced("metadata", '{"a":NaN}'),
    "lone surrogate": spliced("x", '"\\ud83d"'),
    "lone surrogate for a key": line()[:-1] + b',"\\ude00":1}',
    "lone surrogate in metadata": spliced("metadata", '{"a":["\\ud83d\\ud83d\\ude00"]}'),
    "half a character": spliced("x", '"@"').replace(b"@", b"\xc3"),
    "half a character for a key": line()[:-1] + b',"\xff":1}',
    "half a character at the end": line() + b"\xc3",
    "the other half": b"\xa9" + line(),
    "over 1 MiB": line()[:-1] + b" " * (LINE_BYTES_MAX + 1 - len(line())) + b"}",
    "amount of true": line(usage={"credits": True}),
    "amount of 1e2": spliced("usage", '{"audio_ms":1e2}'),
    "blank": b" \r",
}

# Lines that are short enough to be mixed in one block.
SHORT = [text for text in (GOOD | HANDED_BACK | BAD).values() if len(text) < 5000]

# A record with every field. Most random changes of it make it bad.
FULL = json.dumps(
    {
        **record("é-1", action="workflow_run", recorded_at="2026-11-24T10:00:00.123+05:45", ip="192.0.2.1"),
        "user": {"id": WORKSPACE.upper(), "name": "José"},
        "run": {"id": "r1", "status": "completed"},
        "metadata": {"a": [1, -2.50, 1e9, True, None], "b": {"c": "d\u2028\t"}, "": "\U0001f600"},
        "usage": {"credits": 10**12, "languages": [{"locale": "EN_us", "characters": 5}, {"locale": "und"}]},
    },
    ensure_ascii=False,
).encode()
TOKENS = [
    *(b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b" ", b"\t", b"\r", b"\0", b"0", b"1", b"-", b"+", b".", b"e"),
    *(b"null", b"true", b'"a":1,', b'"id":"x",', b"\\u00e9", b"\\ud83d", b"\\ude00", b"\\n", b"\\/", b"\\u0022"),
    *(b"\x80", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\x7f"),
]


def changed(changes: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Return the full record after some changes (position, number of bytes replaced, new bytes)."""
    text = FULL
    for position, size, other in changes:
        text = text[:position] + other + text[position + size :]
    return text
