"""Write the rows of a result as CSV, JSON or Parquet, one batch at a time, or as a table for people.

Reads Arrow batches; writes to an open binary file.
"""

import csv
import shutil
import sys
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from typing import IO, Final

import pyarrow as pa
import pyarrow.parquet as pq
from rich.cells import cell_len

from pipeline.analysis import values
from pipeline.terminal import aligned, fitted, printable

_NULL: Final = "NULL"
_NARROWEST: Final = 12  # a column is not cut to fewer characters than this; records are written instead
_GAP: Final = 2  # terminal columns between two cells, as `aligned` writes them
_SHOWN_ROWS: Final = 10_000
TRUNCATED: Final = f"these are the first {_SHOWN_ROWS:,} rows; --format csv writes all"


def write_csv(rows: pa.RecordBatchReader, file: IO[bytes], _: int | None) -> bool:
    """Write CSV as RFC 4180 defines it: a line of names, commas, CRLF; null is an empty cell."""
    text = TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(rows.schema.names)
    for batch in rows:
        writer.writerows([None if value is None else values.text(value) for value in row] for row in values.rows(batch))
    text.detach()
    return True


def write_json(rows: pa.RecordBatchReader, file: IO[bytes], _: int | None) -> bool:
    """Write one JSON array with one object per line."""
    names = rows.schema.names
    before = b"["
    for batch in rows:
        for row in values.rows(batch):
            file.write(before + b"\n" + values.json(dict(zip(names, row, strict=True))))
            before = b","
    file.write(b"[]\n" if before == b"[" else b"\n]\n")
    return True


def write_parquet(rows: pa.RecordBatchReader, file: IO[bytes], _: int | None) -> bool:
    """Write a Parquet file.

    Raises:
        pa.ArrowException: Parquet has no such type.
    """
    with pq.ParquetWriter(file, rows.schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch)
    return True


def write_table(rows: pa.RecordBatchReader, file: IO[bytes], width: int | None) -> bool:
    """Write a table that fits into `width` terminal columns, or one record per row if the rows are too wide."""
    found = [row for batch in _first(rows) for row in values.rows(batch)]
    texts = [
        [_NULL if value is None else printable(values.text(value)) for value in row] for row in found[:_SHOWN_ROWS]
    ]
    table = [[printable(name) for name in rows.schema.names], *texts]
    sides = "".join(">" if _is_number(field.type) else "<" for field in rows.schema)
    file.writelines(f"{line}\n".encode() for line in _lines(table, sides, width))
    return len(found) <= _SHOWN_ROWS


def write_plan(rows: pa.RecordBatchReader, file: IO[bytes]) -> bool:
    """Write the plan that EXPLAIN returns."""
    file.writelines(plan.encode() for plan in rows.read_all()["explain_value"].to_pylist())
    return True


# Each returns True if it wrote all rows, False if it wrote only the first ones.
WRITERS: Final[dict[str, Callable[[pa.RecordBatchReader, IO[bytes], int | None], bool]]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
    "table": write_table,
}


def terminal_width() -> int | None:
    """Return the number of columns of the terminal, or None if stdout is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _first(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield batches until they hold more rows than are shown."""
    count = 0
    for batch in rows:
        yield batch
        count += batch.num_rows
        if count > _SHOWN_ROWS:
            return


def _lines(table: list[list[str]], sides: str, width: int | None) -> list[str]:
    """Return the lines of a table, with its widest columns cut to make it fit, or else the lines of its records."""
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    if width is None:
        return aligned(table, sides)
    space = width - _GAP * (len(widths) - 1)
    if sum(min(natural, _NARROWEST) for natural in widths) > space:
        return list(_records(table))
    while sum(widths) > space:
        widths[widths.index(max(widths))] -= 1
    return aligned([[fitted(text, most) for text, most in zip(row, widths, strict=True)] for row in table], sides)


def _records(table: list[list[str]]) -> Iterator[str]:
    """Yield a line for each value, below a line `row N` for each row."""
    names, *rows = table
    for number, row in enumerate(rows, start=1):
        yield f"row {number}"
        yield from (f"  {line}" for line in aligned(list(zip(names, row, strict=True)), "<<"))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
