"""Write the rows of a result as CSV, JSON, Markdown or Parquet, one batch at a time, or as a table for people.

Reads Arrow batches; writes to an open binary file. `width` is the number of columns of the terminal that shows it, None
where there is none: a terminal gets no character that it would interpret, files and pipes get all bytes as they are.
"""

import csv
import io
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from rich.cells import cell_len

from pipeline.analysis import values
from pipeline.contract.text import printable
from pipeline.terminal import aligned, fitted, printable_json, records

if TYPE_CHECKING:
    from typing_extensions import Buffer  # of `collections.abc` from Python 3.12 on

_NULL: Final = "NULL"
_NARROWEST: Final = 12  # a column is not cut to fewer characters than this; records are written instead
_GAP: Final = 2  # terminal columns between two cells, as `aligned` writes them
_SHOWN_ROWS: Final = 10_000
_SHOWN_BYTES: Final = 64 << 20  # of Arrow batches; the rows of a table are all in memory
TRUNCATED: Final = "these are the first rows; --format csv writes all"


class Sink(Protocol):
    """What rows are written to."""

    def write(self, content: bytes, /) -> object:
        """Write all of the bytes."""


class _EndedByLf:
    """Takes lines that end with CRLF, and ends them with LF: `csv` quotes cells with CR only if its lines have one."""

    def __init__(self, text: io.StringIO) -> None:
        self._text = text

    def write(self, line: str) -> None:
        """Write one line."""
        self._text.write(f"{line[:-2]}\n")


def write_csv(rows: pa.RecordBatchReader, file: Sink, _: int | None) -> bool:
    """Write CSV: a line of names, commas, LF (the tools of a shell take CR for data); null is an empty cell."""
    lines = io.StringIO(newline="")
    writer = csv.writer(_EndedByLf(lines))
    writer.writerow(rows.schema.names)
    for batch in rows:
        writer.writerows([None if value is None else values.text(value) for value in row] for row in values.rows(batch))
        _move(lines, file)
    _move(lines, file)
    return True


def write_json(rows: pa.RecordBatchReader, file: Sink, width: int | None) -> bool:
    """Write one JSON array with one object per line."""
    names = rows.schema.names
    before = b"["
    for batch in rows:
        for row in values.rows(batch):
            found = values.json(dict(zip(names, row, strict=True)))
            file.write(before + b"\n" + (found if width is None else printable_json(found.decode()).encode()))
            before = b","
    file.write(b"[]\n" if before == b"[" else b"\n]\n")
    return True


def write_ndjson(rows: pa.RecordBatchReader, file: Sink, width: int | None) -> bool:
    """Write one object per line, as JSON Lines."""
    names = rows.schema.names
    for batch in rows:
        for row in values.rows(batch):
            found = values.json(dict(zip(names, row, strict=True)))
            file.write((found if width is None else printable_json(found.decode()).encode()) + b"\n")
    return True


def write_markdown(rows: pa.RecordBatchReader, file: Sink, _: int | None) -> bool:
    """Write a Markdown table; a bar in a text is escaped, and white space is one space."""
    file.write(_markdown(rows.schema.names))
    file.write(_markdown(["--:" if _is_number(field.type) else "---" for field in rows.schema]))
    for batch in rows:
        for row in values.rows(batch):
            file.write(_markdown(["" if value is None else values.text(value) for value in row]))
    return True


def _markdown(cells: Iterable[str]) -> bytes:
    shown = (printable(" ".join(cell.split())).replace("\\", "\\\\").replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(shown)} |\n".encode()


def write_parquet(rows: pa.RecordBatchReader, file: Sink, _: int | None) -> bool:
    """Write a Parquet file.

    Raises:
        pa.ArrowException: Parquet has no such type.
    """
    output = _Output(file)
    writer = pq.ParquetWriter(output, rows.schema, compression="zstd")
    try:
        for batch in rows:
            writer.write_batch(batch)
    except BaseException:
        output.is_cut = True  # the footer, without which the file is seen to be incomplete
        raise
    finally:
        writer.close()
    return True


class _Output(io.RawIOBase):
    """Passes on what is written until it is cut off."""

    def __init__(self, file: Sink) -> None:
        self._file = file
        self.is_cut = False

    def writable(self) -> bool:
        return True

    def write(self, data: "Buffer", /) -> int:
        content = bytes(data)
        if not self.is_cut:
            self._file.write(content)
        return len(content)


def write_table(rows: pa.RecordBatchReader, file: Sink, width: int | None) -> bool:
    """Write a table that fits into `width` terminal columns, or one record per row if the rows are too wide."""
    found = [row for batch in _first(rows) for row in values.rows(batch)]
    texts = [
        [_NULL if value is None else printable(values.text(value)) for value in row] for row in found[:_SHOWN_ROWS]
    ]
    table = [[printable(name) for name in rows.schema.names], *texts]
    sides = "".join(">" if _is_number(field.type) else "<" for field in rows.schema)
    for line in _lines(table, sides, width):
        file.write(f"{line}\n".encode())
    return len(found) <= _SHOWN_ROWS and next(rows, None) is None


def write_plan(rows: pa.RecordBatchReader, file: Sink) -> bool:
    """Write the plan that EXPLAIN returns."""
    for plan in rows.read_all()["explain_value"].to_pylist():
        file.write(plan.encode())
    return True


# Each returns True if it wrote all rows, False if it wrote only the first ones.
WRITERS: Final[dict[str, Callable[[pa.RecordBatchReader, Sink, int | None], bool]]] = {
    "csv": write_csv,
    "json": write_json,
    "md": write_markdown,
    "ndjson": write_ndjson,
    "parquet": write_parquet,
    "table": write_table,
}


def terminal_width() -> int | None:
    """Return the number of columns of the terminal, or None if stdout is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _move(lines: io.StringIO, file: Sink) -> None:
    """Write the lines to the file, and empty them."""
    file.write(lines.getvalue().encode())
    lines.seek(0)
    lines.truncate()


def _first(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield batches until they hold more rows than are shown, or more bytes than should be in memory."""
    count = size = 0
    for batch in rows:
        yield batch
        count += batch.num_rows
        size += batch.nbytes
        if count > _SHOWN_ROWS or size > _SHOWN_BYTES:
            return


def _lines(table: list[list[str]], sides: str, width: int | None) -> list[str]:
    """Return the lines of a table, with its widest columns cut to make it fit, or else the lines of its records."""
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    if width is None:
        return aligned(table, sides)
    space = width - _GAP * (len(widths) - 1)
    if sum(min(natural, _NARROWEST) for natural in widths) > space:
        return [line for record in records(table) for line in record]
    while sum(widths) > space:
        widths[widths.index(max(widths))] -= 1
    return aligned([[fitted(text, most) for text, most in zip(row, widths, strict=True)] for row in table], sides)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
