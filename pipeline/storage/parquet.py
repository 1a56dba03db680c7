"""Read partitions of a table as Arrow tables, and write one Arrow table as many Parquet files.

Reads the published files, and writes staged ones; `pipeline.storage.commit` publishes them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.storage import digests
from pipeline.storage.damage import READING, refuse_shortage
from pipeline.storage.digests import Digest, DigestingFile
from pipeline.storage.store import DamagedError, Operation, Store

# A page of the feed reads whole row groups, so they must be small; each one makes the footer longer.
_ROW_GROUP_ROWS: Final = 10_000
# Up to this size a table is combined into one chunk: taking rows from one chunk is faster.
ONE_PIECE_BYTES: Final = 128 << 20

# Few system calls per file: most files fit into one buffer.
_BUFFER_BYTES: Final = 64 << 10
# A file of up to this size is read at once where its digest is compared, larger ones twice.
_WHOLE_BYTES: Final = 4 << 20
# The physical types of Parquet that hold integers and instants.
_INTEGERS: Final = {"INT32", "INT64"}


class PartitionError(RuntimeError):
    """Raised when the rows of one partition are not contiguous or would not be written, which would lose them."""


def portions(
    store: Store,
    uris: Sequence[str | None],
    schema: pa.Schema,
    threads: int,
    most_bytes: int,
    known: Mapping[str, Digest] = MappingProxyType({}),
) -> Iterator[tuple[slice, pa.Table]]:
    """Yield the rows of partitions in portions of consecutive partitions, with as few in memory as possible.

    Args:
        store: the data folder.
        uris: the paths of the partitions; None for a partition that does not exist, which has no rows.
        schema: the columns to read; a nullable column that an older file lacks is null.
        threads: how many partitions are read at once.
        most_bytes: a portion ends with the partition that brings it to this size in memory.
        known: the digests of the files that must be as they were written, because their rows are written again.

    Yields:
        The slice of `uris`, and the rows of its partitions: `workspace_id`, then the columns of `schema`.

    Raises:
        DamagedError: a file does not exist, is not readable Parquet, lacks a column that must not be null, or has
            another digest.
    """
    columns = pa.schema([pa.field("workspace_id", pa.string(), nullable=False), *schema])
    partitions = _read_ahead(store, [uri for uri in uris if uri is not None], columns, threads, known)
    start, size = 0, 0
    tables: list[pa.Table] = []
    for stop, uri in enumerate(uris, start=1):
        if uri is not None:
            tables.append(next(partitions))
            size += tables[-1].nbytes
        if size >= most_bytes or stop == len(uris):
            yield slice(start, stop), _drained(tables, columns)
            start, size = stop, 0


def _drained(tables: list[pa.Table], columns: pa.Schema) -> pa.Table:
    """Concatenate the tables and clear the list, so that only the result keeps their rows in memory."""
    joined = pa.concat_tables([columns.empty_table(), *tables])
    tables.clear()
    return joined


def _read_ahead(
    store: Store, uris: Sequence[str], columns: pa.Schema, threads: int, known: Mapping[str, Digest]
) -> Iterator[pa.Table]:
    """Yield the rows of each partition, in order, and read at most `threads` partitions ahead."""
    waiting: deque[Future[pa.Table]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for uri in uris:
            waiting.append(pool.submit(_read, store, uri, columns, known.get(uri)))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _read(store: Store, uri: str, columns: pa.Schema, digest: Digest | None) -> pa.Table:
    workspace_id = uri.split("/")[1].partition("=")[2]
    try:
        with _opened(store, uri, digest) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            found = parquet.read([name for name in columns.names if name != "workspace_id"], use_threads=False)
        found = found.append_column(columns.field("workspace_id"), pa.repeat(pa.scalar(workspace_id), found.num_rows))
        if digest is None:
            found.validate(full=True)  # texts that are not UTF-8 would fail only where they are used
        return to_schema(found, columns)
    except READING as error:
        refuse_shortage(error)
        raise DamagedError(uri, str(error)) from None


def _opened(store: Store, uri: str, digest: Digest | None) -> pa.NativeFile:
    """Open a file for reading, after its bytes were compared with its digest, if that is known."""
    path = store.local(uri)
    if digest is None or digest.size > _WHOLE_BYTES:
        store.refuse_damage(uri, digest)
        return pa.OSFile(str(path))
    content = path.read_bytes()
    if digests.EMPTY.followed_by(content) != digest:
        raise DamagedError(uri, digests.WHY)
    return pa.BufferReader(content)


def to_schema(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the rows with the columns, order and types of a schema; a missing nullable column is null.

    Raises:
        ValueError: a column that must not be null is missing or has nulls, or a value does not fit the column's type.
    """
    names = set(rows.column_names)
    lacking = [field.name for field in schema if not field.nullable and field.name not in names]
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    arrays = []
    for field in schema:
        array = rows[field.name] if field.name in names else pa.nulls(rows.num_rows, field.type)
        if not field.nullable and array.null_count:
            raise ValueError(f"{field.name} has nulls")
        arrays.append(array if array.type == field.type else array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


class ParquetWriter(pq.ParquetWriter):  # type: ignore[misc]  # pyarrow has no types
    """A writer of one file that does not close it when it is freed: a file that nobody closed belongs to a failed run.

    To close it could fail as well, and Python would print that error.
    """

    def __del__(self) -> None:
        """Leave the file as it is."""


class PartitionWriter:
    """Writes partitions of one table with one set of Parquet options.

    Args:
        store: the data folder.
        staging: the folder under which the files are staged.
        run: the id of the run, stored in every file's metadata; recovery after a crash needs it.
        schema: the columns of the files.
        dictionaries: the columns with few distinct values, which get a dictionary. They stay uncompressed, and so do
            integers, which are delta-encoded: compression gains nothing on either, and setting up the compressor takes
            longer than writing a small file's column.
        statistics: the columns that readers filter by range.
        compression: zstd takes half the space of lz4; lz4 takes a third of the time to read.
        threads: how many files are written at once.
        row_group_rows: the maximum number of rows in a row group.
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
        compression: Literal["zstd", "lz4"] = "zstd",
        threads: int = 1,
        row_group_rows: int = _ROW_GROUP_ROWS,
    ) -> None:
        self._row_group_rows = row_group_rows
        self._store, self._staging, self._run, self._schema = store, f"{staging}/tables", run, schema
        self._threads = threads
        store.folder(self._staging)
        leaves = _leaves(schema)
        integers = {leaf for leaf, physical in leaves.items() if physical in _INTEGERS}.difference(dictionaries)
        compressed = leaves.keys() - integers - set(dictionaries)
        self._options = {
            "compression": {leaf: compression if leaf in compressed else "none" for leaf in leaves},
            "compression_level": dict.fromkeys(compressed, 1) if compression == "zstd" else None,
            "use_dictionary": list(dictionaries) or False,
            "column_encoding": dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
            "write_statistics": list(statistics) or False,
            "store_schema": False,
            "write_page_checksum": True,
        }

    def write(
        self,
        places: pa.Table,
        rows: Callable[[int, int], pa.Table],
        keys: Sequence[tuple[str, str]],
        final: Callable[[str, str], str],
    ) -> dict[tuple[str, str], Operation]:
        """Stage one file per (workspace_id, partition); a partition without rows gets an empty file.

        Args:
            places: the columns `workspace_id` and `partition` (text) of each row; equal pairs must be contiguous.
            rows: returns the rows from `start` up to, but not including, `stop`, with the columns of the schema.
            keys: the (workspace_id, partition) of every file to write.
            final: returns the final path for a (workspace_id, partition).

        Returns:
            The operation that publishes each file, by (workspace_id, partition).

        Raises:
            PartitionError: the rows of a partition are not contiguous, or belong to a partition not in `keys`.
            OSError: a file cannot be written.
        """
        spans = _spans(places)
        if not spans.keys() <= set(keys):
            raise PartitionError(f"rows of partitions that are not written: {spans.keys() - set(keys)}")
        # All files are staged in one folder: a folder per file would take a fifth of the time of writing the file.
        staged = {key: f"{self._staging}/{final(*key).replace('/', '~')}" for key in keys}
        with ThreadPoolExecutor(self._threads) as pool:
            written: dict[tuple[str, str], Digest] = {}
            begun: dict[tuple[str, str], Future[Digest]] = {}
            for key, uri in staged.items():
                start, stop = spans.get(key, (0, 0))
                step = self._row_group_rows
                if stop - start > step:  # too many rows to keep in memory until a thread is free
                    bounds = range(start, stop, step)
                    written[key] = self._write(uri, (rows(first, min(first + step, stop)) for first in bounds))
                else:
                    begun[key] = pool.submit(self._write, uri, [rows(start, stop)] if stop > start else [])
            written |= {key: future.result() for key, future in begun.items()}
        return {key: self._store.staged(uri, final(*key), written[key]) for key, uri in staged.items()}

    def _write(self, uri: str, pieces: Iterable[pa.Table]) -> Digest:
        digesting = DigestingFile(self._store.scratch(uri))
        with (
            pa.output_stream(digesting, compression=None, buffer_size=_BUFFER_BYTES) as file,
            ParquetWriter(file, self._schema, **self._options) as writer,
        ):
            for piece in pieces:
                writer.write_table(piece)
            writer.add_key_value_metadata({"run": self._run})
        return digesting.digest


def _leaves(schema: pa.Schema) -> dict[str, str]:
    """Return the physical type of each leaf column by its name in Parquet, such as `languages.list.element.locale`."""
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    found = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return {column.path: column.physical_type for column in map(found.column, range(len(found)))}


def _spans(rows: pa.Table) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the first row of each (workspace_id, partition) and the row after its last.

    Raises:
        PartitionError: the rows of a partition are not contiguous.
    """
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
