"""What was rejected: the files of the quarantine counted, listed, and handed back as the lines that they were.

Reads `quarantine/`, one file at a time and of it a few lines at a time: there may be millions, of up to 16 MiB each.
A file that a run replaces meanwhile is read to its end as it was, and one that it takes away is passed over.
Writes nothing but an export, where it is asked to.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.contract.tables import QUARANTINE, quarantine_path
from pipeline.storage import atomic, catalog
from pipeline.storage.parquet import to_schema
from pipeline.storage.store import DamagedError, Store

# So many lines are in memory at once, and fewer where the average says that they are long. More would not do: that
# average counts lines which repeat, and are stored once, too low.
_LINES_AT_ONCE: Final = 64
_BYTES_AT_ONCE: Final = 16 << 20
# Without the lines themselves a row is short.
_COUNTED_AT_ONCE: Final = 8192
_BUFFER_BYTES: Final = 1 << 20
# A longer line is cut to about this much on its way into the quarantine, which does not record whether it was.
_CUT_BYTES: Final = 16 << 20

_COUNTED: Final = ["source_file", "line_number", "reason", "loaded_at"]
_SELECTED: Final = ["line_number", "reason"]


class Rejected(msgspec.Struct, frozen=True):
    """One rejected line, `loaded_at` in microseconds UTC."""

    source_file: str
    line_number: int
    reason: str
    field: str | None
    message: str
    line: bytes
    loaded_at: int

    @property
    def text(self) -> str:
        """Return the line as text, bytes that are no UTF-8 as escapes."""
        return self.line.decode(errors="backslashreplace")

    @property
    def caveat(self) -> str | None:
        """Say why the bytes of the line would not be that line again; None where they would."""
        if b"\n" in self.line:
            return "it holds a newline: exported, it is several lines"
        if len(self.line) >= _CUT_BYTES:
            return f"it had {len(self.line):,} bytes or more: so long a line is cut, and not all of it is here"
        return None


class RejectedFile(msgspec.Struct):
    """What was rejected of one raw file; `loaded_at` is when the last of it was, in microseconds UTC."""

    source_file: str
    lines: int
    first_line: int
    loaded_at: int
    reasons: dict[str, int]  # the most frequent first


class Quarantine:
    """The quarantine, or what of it has one reason or comes from one raw file.

    What cannot be read is left out; `failures` then says why, by the file's path in the data folder.
    """

    def __init__(self, store: Store, *, reason: str | None = None, file: str | None = None) -> None:
        self._store, self._file = store, file
        self._wanted = pc.scalar(value=True) if reason is None else pc.field("reason") == reason
        self.is_filtered = reason is not None or file is not None
        self.failures: dict[str, str] = {}

    def files(self) -> list[RejectedFile]:
        """Return the raw files with rejected lines, the one that was loaded last first."""
        found = [summary for uri in self._uris() if (summary := self._summary(uri))]
        return sorted(found, key=lambda summary: (-summary.loaded_at, summary.source_file))

    def lines(self) -> Iterator[Rejected]:
        """Yield the rejected lines in the order of `files()`, those of one file as they stand in it."""
        for summary in self.files():
            yield from self._lines(quarantine_path(summary.source_file), self._wanted)

    def refuse_damage(self) -> None:
        """Go on only if everything could be read so far.

        Raises:
            DamagedError: a file could not be read.
        """
        for uri, failure in self.failures.items():
            raise DamagedError(uri, failure)

    def line(self, line_number: int) -> Rejected | None:
        """Return one line of the raw file; None where it is not in quarantine."""
        if self._file is None:
            raise ValueError("a line number means nothing without its file")
        wanted = self._wanted & (pc.field("line_number") == line_number)
        return next(self._lines(quarantine_path(self._file), wanted), None)

    def _uris(self) -> list[str]:
        if self._file is not None:
            return [quarantine_path(self._file)]
        return catalog.quarantine_files(self._store)

    def _summary(self, uri: str) -> RejectedFile | None:
        summary: RejectedFile | None = None
        reasons: Counter[str] = Counter()
        for rows in self._read(uri, self._wanted, _COUNTED, _COUNTED_AT_ONCE):
            first, last = (pc.min(rows["line_number"]).as_py(), pc.max(rows["loaded_at"]).as_py())
            if summary is None:
                summary = RejectedFile(rows["source_file"][0].as_py(), 0, first, last, {})
            summary.lines += rows.num_rows
            summary.first_line = min(summary.first_line, first)
            summary.loaded_at = max(summary.loaded_at, last)
            for found in pc.value_counts(rows["reason"]).to_pylist():
                reasons[found["values"]] += found["counts"]
        if summary is not None:
            summary.reasons = dict(reasons.most_common())
        return summary

    def _lines(self, uri: str, wanted: pc.Expression) -> Iterator[Rejected]:
        for rows in self._read(uri, wanted, QUARANTINE.names, _LINES_AT_ONCE):
            for row in rows.to_pylist():
                yield Rejected(**row)

    def _read(self, uri: str, wanted: pc.Expression, columns: list[str], rows: int) -> Iterator[pa.Table]:
        """Yield the wanted rows of one file, at most so many at once; none where it is gone.

        Instants come as integers. A row group is decoded in full only where it has wanted rows.
        """
        try:
            file = self._store.path(uri).open("rb")
        except FileNotFoundError:
            return
        except OSError as error:
            self.failures[uri] = error.strerror or str(error)
            return
        with file:
            try:
                parquet = pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
                held = set(parquet.schema_arrow.names)
                if missing := {field.name for field in QUARANTINE if not field.nullable} - held:
                    raise pa.ArrowInvalid(f"no column {', '.join(sorted(missing))}")
                wanted_columns = [name for name in columns if name in held]
                for group in range(parquet.num_row_groups):
                    if not parquet.read_row_group(group, _SELECTED).filter(wanted).num_rows:
                        continue
                    size = min(rows, _rows_at_once(parquet.metadata.row_group(group)))
                    for batch in parquet.iter_batches(size, row_groups=[group], columns=wanted_columns):
                        found = _typed(batch, columns).filter(wanted)
                        if found.num_rows:
                            yield found
            except (OSError, ValueError, pa.ArrowException):
                self.failures[uri] = "the file is damaged; `usage run --rebuild` makes it anew"


def write(lines: Iterable[Rejected], file: IO[bytes], tell: Callable[[Rejected], None]) -> int:
    """Write lines to a file, byte for byte, each with a newline behind it; return how many.

    Args:
        lines: what is written.
        file: where to.
        tell: is told of each line that will not be the same one again when the file is read.
    """
    written = 0
    for rejected in lines:
        if rejected.caveat:
            tell(rejected)
        file.write(rejected.line)
        file.write(b"\n")
        written += 1
    return written


def export(lines: Iterable[Rejected], path: Path, tell: Callable[[Rejected], None], *, force: bool) -> int:
    """Write lines to a file of that name, which appears when it is whole; return how many.

    Raises:
        FileExistsError: there is one already and it may not be replaced, or it is no file.
        OSError: it cannot be written.
    """
    path = path.resolve()
    if path.exists() and not (force and path.is_file()):
        raise FileExistsError(path)
    with atomic.replacing(path) as file:
        return write(lines, file, tell)


def _rows_at_once(group: Any) -> int:
    """Return how many rows of a row group make up what may be in memory, by what it says of its size."""
    return int(max(1, _BYTES_AT_ONCE * group.num_rows // max(1, group.total_byte_size)))


def _typed(batch: pa.RecordBatch, columns: list[str]) -> pa.Table:
    """Return rows in the published types, but for instants, which become microseconds.

    Raises:
        ValueError: they cannot be.
    """
    schema = pa.schema([QUARANTINE.field(name) for name in columns])
    rows = to_schema(pa.Table.from_batches([batch]), schema)
    if "loaded_at" not in columns:
        return rows
    place = columns.index("loaded_at")
    return rows.set_column(place, "loaded_at", rows["loaded_at"].cast(pa.int64()))
