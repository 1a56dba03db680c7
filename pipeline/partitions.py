"""Writing one Arrow table as many Parquet files, one for each (workspace, partition)."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import Operation, Store

# Small enough that a page of the feed reads little, large enough that a footer stays short.
_ROW_GROUP_ROWS: Final = 10_000


class PartitionError(RuntimeError):
    """Raised when the rows of one partition are not in one piece, so that writing them would lose some."""


class PartitionWriter:
    """Writes partitions of one table with one set of Parquet options.

    Args:
        store: the data folder.
        staging: the folder under which the files are staged.
        run: written into every file, which tells after a crash whose file it is.
        schema: the columns of the files.
        dictionaries: the columns with few different values.
        statistics: the columns whose ranges readers ask for.
    """

    def __init__(
        self,
        store: Store,
        staging: str,
        run: str,
        schema: pa.Schema,
        *,
        dictionaries: Sequence[str] = (),
        statistics: Sequence[str] = (),
    ) -> None:
        self._store, self._staging, self._run, self._schema = store, f"{staging}/tables", run, schema
        store.path(self._staging).mkdir(parents=True, exist_ok=True)
        self._options = {
            "compression": "zstd",
            "compression_level": 1,
            "use_dictionary": list(dictionaries) or False,
            "write_statistics": list(statistics) or False,
            "store_schema": False,
        }

    def write(
        self, rows: pa.Table, keys: Sequence[tuple[str, str]], final: Callable[[str, str], str]
    ) -> dict[tuple[str, str], Operation]:
        """Stage one file for each (workspace_id, partition), an empty one where it has no rows.

        Args:
            rows: `workspace_id` and `partition` (text), then the columns of the schema; sorted by these two.
            keys: every (workspace_id, partition) that is written.
            final: gives the path of a (workspace_id, partition).

        Raises:
            PartitionError: the rows are not sorted, or belong to other partitions too.
        """
        spans = _spans(rows)
        if not spans.keys() <= set(keys):
            raise PartitionError(f"rows of partitions that are not written: {spans.keys() - set(keys)}")
        columns = rows.select(self._schema.names).cast(self._schema).combine_chunks()
        operations = {}
        for key in keys:
            start, stop = spans.get(key, (0, 0))
            path = final(*key)
            # One folder for all: making one for each file takes a fifth of the time of writing it.
            staged = f"{self._staging}/{path.replace('/', '~')}"
            self._write(columns.slice(start, stop - start), staged)
            operations[key] = self._store.staged(staged, path)
        return operations

    def _write(self, rows: pa.Table, staged: str) -> None:
        with (
            pa.OSFile(str(self._store.path(staged)), "wb") as file,
            pq.ParquetWriter(file, self._schema, **self._options) as writer,
        ):
            writer.write_table(rows, row_group_size=_ROW_GROUP_ROWS)
            writer.add_key_value_metadata({"run": self._run})


def _spans(rows: pa.Table) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the first row of each (workspace_id, partition) and the row behind its last."""
    if not rows.num_rows:
        return {}
    keys = [rows[name].combine_chunks().dictionary_encode() for name in ("workspace_id", "partition")]
    codes = [np.asarray(key.indices) for key in keys]
    breaks = np.flatnonzero((np.diff(codes[0]) != 0) | (np.diff(codes[1]) != 0)) + 1
    starts = [0, *breaks.tolist()]
    names = [[str(key.dictionary[int(code[row])]) for row in starts] for key, code in zip(keys, codes, strict=True)]
    spans = dict(zip(zip(*names, strict=True), zip(starts, [*starts[1:], rows.num_rows], strict=True), strict=True))
    if len(spans) != len(starts):
        raise PartitionError("the rows of one partition are not in one piece")
    return spans
