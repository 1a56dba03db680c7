"""Rows are read in a given order and written to their partitions."""

import random
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.tables import EVENTS
from pipeline.storage.folder import FolderStore
from pipeline.storage.parquet import PartitionError, PartitionWriter
from pipeline.storage.reordered import Reordered


def event(number: int) -> dict[str, Any]:
    """Return a row that differs from the rows of other numbers."""
    text = {field.name: f"{field.name} {number}" for field in EVENTS if field.type == pa.string()}
    moment = datetime(2026, 11, 24, 10, 0, 0, number)  # noqa: DTZ001 - the tables' instants are naive
    languages = [{"locale": "de", "characters": 0, "lines": number, "corrected": 0}]
    numbers = {"credits": number, "audio_ms": 0}
    return {**text, **numbers, "timestamp": moment, "recorded_at": moment, "languages": languages}


def numbered(rows: int, chunks: Sequence[int]) -> pa.Table:
    """Return a table with a column `number`, in chunks that end at the given rows."""
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
    """Rows come in the requested order, whatever chunks hold them and whatever pieces are read."""
    table = numbered(rows, data.draw(st.lists(st.integers(0, rows), max_size=5)))
    order = np.array(data.draw(st.lists(st.integers(0, rows - 1), max_size=80)), np.int64)
    place = st.integers(0, len(order))
    wanted = data.draw(st.lists(st.tuples(place, place).map(sorted), max_size=8))
    reordered = Reordered(table.combine_chunks() if one_piece else table, order, ahead)
    for start, stop in [*wanted, (0, len(order))]:
        found = reordered.rows(start, stop)
        assert found["number"].to_pylist() == order[start:stop].tolist()
        assert found["text"].to_pylist() == [f"row {number}" for number in order[start:stop]]


@pytest.mark.parametrize("one_piece", [0, 1 << 20])
def test_partitions_of_several_row_groups(tmp_path: Path, one_piece: int) -> None:
    """Each partition gets its rows in order, in row groups of bounded size. An empty partition is written too."""
    rng = random.Random(7)
    rows = pa.Table.from_pylist([event(number) for number in range(40)], EVENTS).to_pylist()
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
    store = FolderStore(tmp_path)
    writer = PartitionWriter(
        store, "staging/r", "r", EVENTS, dictionaries=("kind",), statistics=("timestamp",), row_group_rows=4
    )
    keys = [*sizes, ("c", "2026-11-01")]
    reordered = Reordered(table, np.array(order), ahead_rows=5)
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
    """The writer refuses a partition whose rows are apart, and rows whose partition is not written."""
    writer = PartitionWriter(FolderStore(tmp_path), "staging/r", "r", EVENTS)
    places = pa.table({"workspace_id": ["a", "b", "a"], "partition": ["d", "d", "d"]})
    for keys in ([("a", "d"), ("b", "d")], [("a", "d")]):
        with pytest.raises(PartitionError):
            writer.write(
                places.slice(0, 3 if len(keys) > 1 else 2), lambda _a, _b: EVENTS.empty_table(), keys, "{}{}".format
            )
