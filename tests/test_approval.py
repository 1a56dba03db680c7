"""What goes through in bulk: lines judged many at once, cut into blocks, and rows brought into their order."""

import io
import json
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import lines, partitions
from pipeline.approval import approve, batch
from pipeline.formats import instant
from pipeline.judge import judge
from pipeline.lines import blocks
from pipeline.listing import Compression
from pipeline.partitions import PartitionError, PartitionWriter, Reordered
from pipeline.records import LINE_BYTES_MAX, Row
from pipeline.store import Store
from pipeline.tables import EVENTS
from tests.conftest import NOW, House, record
from tests.hostile import bad_lines, compress, deliver, good_lines
from tests.test_judge import FIELDS, LATEST, spliced

# Good, but for the judge to look at: what the fast decoder gives up on.
SLOW = {"unknown deep list", "unknown deep object", "repeated key"}


def approved(block: Sequence[bytes]) -> list[int]:
    """Return which lines of a block are approved at once, each of them as the judge does and with the same row."""
    rows, others = approve(block, LATEST)
    rows.validate(full=True)
    assert others == sorted(set(others))
    found = sorted(set(range(len(block))).difference(others))
    assert len(found) + len(others) == len(block)
    verdicts = [judge(block[index], LATEST) for index in found]
    assert [verdict for verdict in verdicts if not isinstance(verdict, Row)] == []
    expected = batch([verdict for verdict in verdicts if isinstance(verdict, Row)])
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
            assert approve([bad.line], LATEST)[1] == [0], bad.label
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
    "repeated keys": spliced("kind", '"last"')[:-1] + b',"usage":null,"usage":{"credits":1,"credits":2}}',
    "repeated keys in metadata": spliced("metadata", '{"a":1,"b":[],"a":{"c":1,"c":2}}'),
    "minus zero": spliced("metadata", '{"a":-0,"b":[-0 ],"c":"-0,","d":-0.0}'),
    "minus zero in a text": spliced("metadata", '{"-0,":"\\u007f\\/ -0]"}'),
    "odd numbers": spliced("metadata", '{"a":1.00,"b":1E400,"c":18446744073709551616,"d":-9223372036854775809}'),
    "deepest metadata": spliced("metadata", '{"a":' + nested(127) + "}"),
    "brackets in a text": spliced("metadata", '{"a":"' + "[" * 500 + '\\"' + "{" * 500 + '"}'),
    "null metadata": spliced("metadata", "null"),
    "locales twice": line(usage={"credits": 3, "languages": LOCALES}),
    "no languages": line(usage={"languages": []}),
    "carriage return": line() + b"\r",
    "1 MiB": line()[:-1] + b" " * (LINE_BYTES_MAX - len(line())) + b"}",
    "pair of surrogates": spliced("x", '"\\ud83d\\ude00"'),
    "escaped key": line().replace(b'"id"', b'"\\u0069d"', 1),
}
BAD: dict[str, bytes] = {
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


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_neighbours(name: str) -> None:
    """A verdict never depends on the neighbours: alone, before, behind and between lines that need a closer look."""
    subject = (GOOD | BAD)[name]
    around = [text for other, text in (GOOD | BAD).items() if other != name and "1 MiB" not in other]
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


def test_depth_of_a_value_that_does_not_count() -> None:
    """How deep metadata is nested is told alike by both, also where a repeated key hides the deepest value."""
    hidden = spliced("metadata", '{"a":' + nested(200) + ',"a":1}')
    assert approved([hidden]) == approved([hidden, GOOD["minus zero"]])[:-1]


@pytest.mark.parametrize("sign", ["", "-"])
def test_long_integers(sign: str) -> None:
    """Metadata keeps the text of its numbers, however many digits an integer has; no line stops the judge."""
    text = '{"a":' + sign + "9" * 5000 + "}"
    found = judge(spliced("metadata", text), LATEST)
    assert isinstance(found, Row)
    assert found.metadata == text


LINES = FIELDS.map(lambda fields: json.dumps({**record(), **fields}).encode()) | FIELDS.map(
    lambda fields: json.dumps({**record(), **fields}, ensure_ascii=False).encode()
)
CATALOGUE = [text for text in (GOOD | BAD).values() if len(text) < 5000]


@given(st.lists(LINES | st.sampled_from(CATALOGUE) | st.binary(max_size=9), min_size=1, max_size=12), st.data())
def test_any_block(block: list[bytes], data: st.DataObject) -> None:
    """Of any lines in any order those are approved that the judge approves, with the same rows."""
    found = [block[index] for index in approved(block)]
    other = data.draw(st.permutations(block))
    assert sorted(other[index] for index in approved(other)) == sorted(found)


def test_blocks_through_the_pipeline(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many lines are judged at once, the tables and the quarantine are the same."""
    rng = random.Random(3)
    block = rng.sample([text for text in (GOOD | BAD).values() if len(text) < 5000 and text.strip()], 45)
    content = b"\n".join(text.replace(b'"e1"', b'"e%d"' % number) for number, text in enumerate(block))
    house.drop("a.jsonl", content)
    house.run()
    small = House(house.root.parent / "small")
    small.drop("a.jsonl", content)
    monkeypatch.setattr(lines, "_CHUNK_BYTES", 700)
    small.run()
    assert small.events().equals(house.events())
    assert small.cube().equals(house.cube())
    assert small.actors().equals(house.actors())
    assert small.quarantine() == house.quarantine()
    assert len(house.quarantine()) > 15


COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


class Drip(io.BytesIO):
    """A file that gives as much at once as it likes, as a pipe or a network does."""

    mode = "rb"

    def __init__(self, content: bytes, sizes: Sequence[int] = ()) -> None:
        super().__init__(content)
        self._sizes = iter(sizes)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return less than was asked for, but not nothing."""
        return super().read(min(next(self._sizes, 1 << 30), 1 << 30 if size is None else size))


def cut(content: bytes) -> tuple[list[bytes], bytes]:
    """Return the lines that end with a newline, and what is behind the last one."""
    *whole, tail = content.split(b"\n")
    return whole, tail


PIECES = st.sampled_from([b"\n", b"\n\n", b"\r\n", b"a", b"bc", b"x" * 7, b"y" * 20, b"\0", b"\xff"])
CONTENT = st.lists(PIECES, max_size=30).map(b"".join)


@settings(max_examples=400)
@given(CONTENT, st.lists(st.integers(1, 25), max_size=40), st.integers(1, 60), st.integers(1, 9), st.data())
def test_any_cut_gives_the_same_lines(
    content: bytes, sizes: list[int], chunk: int, kept: int, data: st.DataObject
) -> None:
    """Whatever the chunks, each line comes once with its length; of one that is too long at least the beginning."""
    start, end = sorted([data.draw(st.integers(0, len(content))), data.draw(st.integers(0, len(content)))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_CHUNK_BYTES", chunk)
        patch.setattr(lines, "_LINE_KEPT_BYTES", kept)
        found = list(blocks(Drip(content, sizes), None, start, end))
    whole, tail = cut(content[start:end])
    assert [block.whole for block in found if not block.whole] == ([False] if tail else [])
    assert all(block.whole for block in found[:-1])
    left = [*whole, tail] if tail else whole
    assert sum(len(block.lines) for block in found) == len(left)
    for block in found:
        expected, left = left[: len(block.lines)], left[len(block.lines) :]
        assert block.bytes == sum(len(text) + block.whole for text in expected)
        assert sum(map(len, block.lines)) + block.dropped == sum(map(len, expected))
        for text, given_text in zip(block.lines, expected, strict=True):
            if text != given_text:
                assert len(block.lines) == 1
                assert kept <= len(text) < len(given_text)
                assert given_text.startswith(text)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@given(content=CONTENT, chunk=st.integers(1, 30), ratio=st.integers(1, 4))
def test_compressed_files_give_the_same_lines(suffix: str, content: bytes, chunk: int, ratio: int) -> None:
    """A compressed file has the lines that are in it, however it is read and from however many members."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_COMPRESSED_CHUNK_BYTES", chunk)
        patch.setattr(lines, "_CHUNK_BYTES", chunk * ratio)
        file = Drip(compress(suffix, content))
        found = list(blocks(file, COMPRESSIONS[suffix], 0, 0))
    whole, tail = cut(content)
    assert [text for block in found if block.whole for text in block.lines] == whole
    assert [block.lines for block in found if not block.whole] == ([[tail]] if tail else [])
    assert sum(block.bytes for block in found) == len(content)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("left", [0.2, 0.5, 0.9])
def test_a_stream_that_breaks_off(left: float, suffix: str) -> None:
    """The lines before the break come out but for those of the last 64 KiB or so, then the failure."""
    rng = random.Random(5)
    content = b"\n".join(b"%d %s" % (number, rng.randbytes(30).hex().encode()) for number in range(20_000))
    packed = compress(suffix, content)
    found: list[bytes] = []
    stream = blocks(Drip(packed[: int(len(packed) * left)]), COMPRESSIONS[suffix], 0, 0)
    with pytest.raises(OSError, match=r"."):
        found.extend(text for block in stream for text in block.lines)
    assert len(b"\n".join(found)) > len(content) * left - 200_000
    assert found[:-1] == content.split(b"\n")[: len(found) - 1]


def row(number: int) -> Row:
    """Return a good row that can be told from the others."""
    found = judge(line(id_=f"e{number}", usage={"languages": [{"locale": "de", "lines": number}]}), LATEST)
    assert isinstance(found, Row)
    return found


def numbered(rows: int, chunks: Sequence[int]) -> pa.Table:
    """Return a table of rows that know their number, in chunks that end where `chunks` says."""
    table = pa.table({"number": np.arange(rows), "text": [f"row {number}" for number in range(rows)]})
    edges = [0, *sorted(chunks), rows]
    pieces = [table.slice(start, stop - start) for start, stop in pairwise(edges)]
    return pa.concat_tables(pieces)


@given(
    rows=st.integers(1, 60),
    ahead=st.integers(1, 25),
    one_piece=st.sampled_from([0, 1 << 20]),
    data=st.data(),
)
def test_reordered_rows(rows: int, ahead: int, one_piece: int, data: st.DataObject) -> None:
    """Rows come in the order that was asked for, wherever they lie and in whatever pieces they are fetched."""
    table = numbered(rows, data.draw(st.lists(st.integers(0, rows), max_size=5)))
    order = np.array(data.draw(st.lists(st.integers(0, rows - 1), max_size=80)), np.int64)
    place = st.integers(0, len(order))
    wanted = data.draw(st.lists(st.tuples(place, place).map(sorted), max_size=8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "_AHEAD_ROWS", ahead)
        reordered = Reordered(table.combine_chunks() if one_piece else table, order)
        for start, stop in [*wanted, (0, len(order))]:
            found = reordered.rows(start, stop)
            assert found["number"].to_pylist() == order[start:stop].tolist()
            assert found["text"].to_pylist() == [f"row {number}" for number in order[start:stop]]


@pytest.mark.parametrize("one_piece", [0, 1 << 20])
def test_partitions_of_several_row_groups(tmp_path: Path, one_piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each partition gets its rows in their order, in row groups of bounded size; an empty one is a file too."""
    monkeypatch.setattr(partitions, "_AHEAD_ROWS", 5)
    monkeypatch.setattr(partitions, "_ROW_GROUP_ROWS", 4)
    rng = random.Random(7)
    rows = batch([row(number) for number in range(40)]).select(EVENTS.names).to_pylist()
    table = pa.concat_tables([pa.Table.from_pylist(rows[start : start + 9], EVENTS) for start in range(0, 40, 9)])
    table = table.combine_chunks() if one_piece else table
    sizes = {("a", "2026-11-01"): 9, ("a", "2026-11-02"): 8, ("b", "2026-11-01"): 1, ("b", "2026-11-03"): 12}
    order = rng.sample(range(40), sum(sizes.values()))
    places = pa.table(
        {
            "workspace_id": [key[0] for key, size in sizes.items() for _ in range(size)],
            "partition": [key[1] for key, size in sizes.items() for _ in range(size)],
        }
    )
    store = Store(tmp_path)
    writer = PartitionWriter(store, "staging/r", "r", EVENTS, dictionaries=("kind",), statistics=("timestamp",))
    keys = [*sizes, ("c", "2026-11-01")]
    reordered = Reordered(table, np.array(order))
    written = writer.write(places, reordered.rows, keys, lambda workspace, day: f"{workspace}/{day}.parquet")
    assert list(written) == keys
    start = 0
    for key, operation in written.items():
        file = pq.ParquetFile(tmp_path / operation.staged)
        stop = start + sizes.get(key, 0)
        assert file.read().to_pylist() == [rows[position] for position in order[start:stop]]
        groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        assert sum(groups) == stop - start
        assert all(size == 4 for size in groups[:-1])
        assert file.schema_arrow.remove_metadata() == EVENTS
        assert file.metadata.metadata[b"run"] == b"r"
        assert operation.size == (tmp_path / operation.staged).stat().st_size
        start = stop


def test_rows_that_would_be_lost(tmp_path: Path) -> None:
    """Rows of a partition in two pieces, or of one that is not written, are refused."""
    writer = PartitionWriter(Store(tmp_path), "staging/r", "r", EVENTS)
    places = pa.table({"workspace_id": ["a", "b", "a"], "partition": ["d", "d", "d"]})
    for keys in ([("a", "d"), ("b", "d")], [("a", "d")]):
        with pytest.raises(PartitionError):
            writer.write(
                places.slice(0, 3 if len(keys) > 1 else 2), lambda _a, _b: EVENTS.empty_table(), keys, "{}{}".format
            )
