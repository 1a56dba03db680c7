"""Lines judged many at once: of any lines those are approved that the judge approves, with the same rows."""

import ctypes
import importlib.util
import json
import mmap
import random
import shutil
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.formats import instant
from pipeline.load.job import Limits
from pipeline.validation import native
from pipeline.validation.bulk import BulkValidator, batch
from pipeline.validation.records import LINE_BYTES_MAX, Row
from pipeline.validation.validate import FIRST_INSTANT, validate
from tests.hostile import bad_lines, deliver, good_lines
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record
from tests.validation.test_validate import FIELDS, LATEST, spliced

SOURCE = 7
# Good, but for the judge to look at: repeated keys, escaped ones, nesting without end, a number that nobody writes.
SLOW = {
    "repeated key",
    "escaped keys",
    'metadata {"a":{"x":1},"a":2}',
    'metadata {"\\u00e9\\/":"\\ud83d\\',
    "unknown deep list",
    "unknown deep object",
    "usage.credits -0",
    "usage.audio_ms -0",
}


def approve(block: Sequence[bytes]) -> tuple[pa.RecordBatch, list[int]]:
    """Return the rows of the lines of a block that are approved at once, and which ones are not."""
    content = b"".join(text + b"\n" for text in block)
    approval = BulkValidator(LATEST, len(content))
    count, handed_back = approval.add(content, SOURCE)
    assert count == len(block)
    assert [text for _, text in handed_back] == [block[number] for number, _ in handed_back]
    return approval.take(np.arange(len(approval))), [number for number, _ in handed_back]


def approved(block: Sequence[bytes]) -> list[int]:
    """Return which lines of a block are approved at once, each of them as the judge does and with the same row."""
    rows, handed_back = approve(block)
    rows.validate(full=True)
    assert handed_back == sorted(set(handed_back))
    found = sorted(set(range(len(block))).difference(handed_back))
    assert len(found) + len(handed_back) == len(block)
    verdicts = [validate(block[index], LATEST) for index in found]
    assert [verdict for verdict in verdicts if not isinstance(verdict, Row)] == []
    expected = batch([verdict for verdict in verdicts if isinstance(verdict, Row)], SOURCE)
    assert rows.equals(expected), f"{rows.to_string()} is not {expected.to_string()}"
    return found


def dealt(block: Sequence[bytes], rng: random.Random) -> Iterator[list[bytes]]:
    """Yield all lines in another order, in blocks of one to forty."""
    left = rng.sample(block, len(block))
    while left:
        size = rng.randrange(1, 41)
        yield left[:size]
        left = left[size:]


def line(**fields: Any) -> bytes:
    """Return a record as a line."""
    return json.dumps(record(**fields)).encode()


def nested(depth: int, inner: str = "") -> str:
    """Return arrays within each other."""
    return "[" * depth + inner + "]" * depth


def test_catalogue_line_by_line() -> None:
    """No line of the catalogue is approved that the judge rejects, and hardly a good one is left to the judge."""
    for bad in bad_lines(instant(NOW)):
        approved([bad.line])
        if not bad.last:
            assert approve([bad.line])[1] == [0], bad.label
    left = {good.label for good in good_lines(instant(NOW)) if not approved([good.line])}
    assert left == SLOW


@pytest.mark.parametrize("seed", range(2))
def test_catalogue_in_blocks(seed: int) -> None:
    """Whatever the lines around it, a good line is approved with the same row, and a bad one is not."""
    good = [item.line for item in good_lines(instant(NOW)) if item.label not in SLOW]
    bad = [item.line for item in bad_lines(instant(NOW)) if len(item.line) < LINE_BYTES_MAX and not item.last]
    rng = random.Random(seed)
    for block in dealt([*good * 3, *bad, b"", b"\r", b" "], rng):
        assert [block[index] for index in approved(block)] == [text for text in block if text in good]


def test_deliveries() -> None:
    """Ordinary and awkward records, edges of days, competing versions and torn lines, as producers write them."""
    delivery = deliver(11, instant(NOW), events=200, files=4)
    lines_of = [text for name, content in delivery.files if name.endswith(".jsonl") for text in content.split(b"\n")]
    found = [len(approved(lines_of[start : start + 500])) for start in range(0, len(lines_of), 500)]
    assert sum(found) > len(lines_of) // 2


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
    "carriage return": line() + b"\r",
    "1 MiB": line()[:-1] + b" " * (LINE_BYTES_MAX - len(line())) + b"}",
    "pair of surrogates": spliced("x", '"\\ud83d\\ude00"'),
    "escaped texts": line(kind='\0\t"\\/', user={"id": WORKSPACE, "name": "Zoë\U0001f600"}, ip="\ud7ff\ue000"),
}
LEFT: dict[str, bytes] = {
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


@pytest.mark.parametrize("name", [*GOOD, *LEFT, *BAD])
def test_neighbours(name: str) -> None:
    """A verdict never depends on the neighbours: alone, before, behind and between lines that need a closer look."""
    subject = (GOOD | LEFT | BAD)[name]
    around = [text for other, text in (GOOD | LEFT | BAD).items() if other != name and "1 MiB" not in other]
    expected = name in GOOD
    assert bool(approved([subject])) is expected
    assert (0 in approved([subject, *around])) is expected
    assert (len(around) in approved([*around, subject])) is expected
    for other in around:
        assert (1 in approved([other, subject, other])) is expected


def test_halves_of_a_character() -> None:
    """Two lines that are UTF-8 only one after the other are both bad."""
    halves = [BAD["half a character at the end"], BAD["the other half"]]
    assert approved([line(), *halves, line()]) == [0, 3]


@pytest.mark.parametrize("depth", [127, 128, 129, 200])
def test_depth(depth: int) -> None:
    """How deep metadata is nested is told alike by both, also where a repeated key hides the deepest value."""
    for text in ('{"a":' + nested(depth) + "}", '{"a":' + nested(depth) + ',"a":1}'):
        approved([spliced("metadata", text), line()])


@pytest.mark.parametrize("sign", ["", "-"])
def test_long_integers(sign: str) -> None:
    """Metadata keeps the text of its numbers, however many digits an integer has; no line stops the judge."""
    text = '{"a":' + sign + "9" * 5000 + "}"
    found = validate(spliced("metadata", text), LATEST)
    assert isinstance(found, Row)
    assert found.metadata == text


LINES = FIELDS.map(lambda fields: json.dumps({**record(), **fields}).encode()) | FIELDS.map(
    lambda fields: json.dumps({**record(), **fields}, ensure_ascii=False).encode()
)
CATALOGUE = [text for text in (GOOD | LEFT | BAD).values() if len(text) < 5000]
NOISE = st.binary(max_size=9).map(lambda noise: noise.replace(b"\n", b""))


@given(st.lists(LINES | st.sampled_from(CATALOGUE) | NOISE, min_size=1, max_size=12), st.data())
def test_any_block(block: list[bytes], data: st.DataObject) -> None:
    """Of any lines in any order those are approved that the judge approves, with the same rows."""
    found = [block[index] for index in approved(block)]
    other = data.draw(st.permutations(block))
    assert sorted(other[index] for index in approved(other)) == sorted(found)


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
CHANGES = st.tuples(st.integers(0, len(FULL)), st.integers(0, 4), st.sampled_from(TOKENS) | NOISE)


def changed(changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return the full record with some bytes replaced, some left out and some put between."""
    text = FULL
    for position, size, other in changes:
        text = text[:position] + other + text[position + size :]
    return text


@settings(max_examples=400)
@given(st.lists(st.lists(CHANGES, max_size=2).map(changed), min_size=1, max_size=8))
def test_any_change(block: list[bytes]) -> None:
    """Whatever is wrong or odd in a record, and wherever, it is told as the judge tells it."""
    assert approved([FULL])
    approved(block)


def test_no_byte_behind_a_line() -> None:
    """Whatever a line breaks off with, nothing is read behind its block but the bytes ahead, and nothing written."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 33 * page)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(place + 32 * page), page, 0) == 0  # who touches it is killed
    handed_back = np.empty(1, native.HANDED_BACK)
    rows, languages = np.empty(1, native.ROW), np.empty(40, native.LANGUAGE)
    texts = [text for text in CATALOGUE if len(text) < 8 * page] + [FULL[:size] for size in range(len(FULL) + 1)]
    for text in texts:
        stop = 32 * page - native.AHEAD_BYTES
        start = stop - len(text) - 1
        memory[start:stop] = text + b"\n"
        memory[: 8 * page] = bytes(8 * page)
        state = native.State(
            buffer=place,
            scratch=0,
            scratch_stop=len(text),
            rows=rows.ctypes.data,
            row_capacity=1,
            languages=languages.ctypes.data,
            language_capacity=40,
            earliest=FIRST_INSTANT,
            latest=LATEST,
        )
        left = native.approve(state, start, stop, handed_back.ctypes.data)
        assert left == 1 - len(approved([text]))
        assert memory[len(text) : 8 * page] == bytes(8 * page - len(text))
        assert memory[start:stop] == text + b"\n"


def test_more_than_there_is_room_for() -> None:
    """A block without room is left to the judge, line by line, and so is a line of very many languages."""
    approval = BulkValidator(LATEST, 2 * len(FULL))
    content = (FULL + b"\n") * 2
    assert approval.add(content, SOURCE) == (2, [(0, FULL), (1, FULL)])
    assert approval.add(FULL + b"\n", SOURCE) == (1, [])
    assert not approval.has_room(FULL)
    approval.clear()
    assert approval.has_room(FULL)
    many = line(usage={"languages": [{"locale": f"de-x{number:02}"} for number in range(33)]})
    assert approved([many]) == []
    assert isinstance(validate(many, LATEST), Row)


def test_blocks_through_the_pipeline(folder: DataFolder) -> None:
    """However many lines are judged at once, the tables and the quarantine are the same."""
    rng = random.Random(3)
    block = rng.sample([text for text in (GOOD | LEFT | BAD).values() if len(text) < 5000 and text.strip()], 45)
    content = b"\n".join(text.replace(b'"e1"', b'"e%d"' % number) for number, text in enumerate(block))
    folder.drop("a.jsonl", content)
    folder.run()
    small = DataFolder(folder.root.parent / "small")
    small.drop("a.jsonl", content)
    small.limits = Limits(chunk_bytes=700)
    small.run()
    assert small.events().equals(folder.events())
    assert small.cube().equals(folder.cube())
    assert small.actors().equals(folder.actors())
    assert small.quarantine() == folder.quarantine()
    assert len(folder.quarantine()) > 15


def test_a_library_of_another_source_is_refused(tmp_path: Path) -> None:
    """What is left from an older installation would write into memory that is not its own."""
    built = Path(native.__file__).with_name("libbulk.so").read_bytes()
    sizes = (native.ROW.itemsize, native.LANGUAGE.itemsize, native.HANDED_BACK.itemsize, ctypes.sizeof(native.State))
    ours, handed_back = struct.pack("<4q", *sizes), struct.pack("<4q", *sizes[:3], sizes[3] + 8)
    assert built.count(ours) == 1
    (tmp_path / "libbulk.so").write_bytes(built.replace(ours, handed_back))
    source = shutil.copy(native.__file__, tmp_path)
    spec = importlib.util.spec_from_file_location("another", source)
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(ImportError, match=r"libbulk\.so was compiled from another source; build it: pip install"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_a_block_whose_last_line_does_not_end_is_refused() -> None:
    """Its end is looked for in memory, where there would be none."""
    approval = BulkValidator(LATEST, 1_000)
    with pytest.raises(ValueError, match="newline"):
        approval.add(b"{}\n{}", SOURCE)
    assert len(approval) == 0
