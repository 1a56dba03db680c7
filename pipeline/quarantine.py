"""The quarantine: count, list and export the rejected lines.

Reads `quarantine/`, a few lines of one file at a time: there may be millions of lines, of up to 16 MiB each. A file
that a run replaces meanwhile is read to its end in its old state; a file that a run deletes is skipped. Writes an
export to an open file, and nothing else.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.contract.actions import ACTIONS
from pipeline.contract.tables import QUARANTINE, quarantine_path
from pipeline.storage import catalog
from pipeline.storage.damage import READING, refuse_shortage
from pipeline.storage.parquet import to_schema
from pipeline.storage.store import DamagedError, Store
from pipeline.validation.records import Reason, Rejection
from pipeline.validation.validate import AHEAD_US, faults

# At most this many lines are in memory at once, and fewer where their average size is large. 64 is low because equal
# lines are stored once, so that the average may be far below the size in memory.
_LINES_AT_ONCE: Final = 64
_BYTES_AT_ONCE: Final = 16 << 20
# More rows at once where the lines themselves are not read.
_COUNTED_AT_ONCE: Final = 8192
_BUFFER_BYTES: Final = 1 << 20
# The load cuts a longer line to about this size; the quarantine does not record whether a line was cut.
_CUT_BYTES: Final = 16 << 20
_DAMAGED: Final = "the file is damaged; `usage run --rebuild` rebuilds it"

# Columns that a summary needs, and those that select rows.
_COUNTED: Final = ["source_file", "line_number", "reason", "loaded_at"]
_SELECTED: Final = ["line_number", "reason"]


class Rejected(msgspec.Struct, frozen=True):
    """One rejected line; `loaded_at` is in microseconds UTC."""

    source_file: str
    line_number: int
    reason: str
    field: str | None
    message: str
    line: bytes
    loaded_at: int

    @property
    def text(self) -> str:
        """Return the line as text, with bytes that are not UTF-8 as escapes."""
        return self.line.decode(errors="backslashreplace")

    @property
    def caveat(self) -> str | None:
        """Return why the exported bytes would not be this line when read again; None if they would."""
        if b"\n" in self.line:
            return "it holds a newline: exported, it becomes several lines"
        if len(self.line) >= _CUT_BYTES:
            return f"it had {len(self.line):,} bytes or more: so long a line is cut, and its end is not stored"
        return None


class RejectedFile(msgspec.Struct):
    """The rejected lines of one raw file, counted; `loaded_at` is the latest of these lines, in microseconds UTC."""

    source_file: str
    lines: int
    first_line: int
    loaded_at: int
    reasons: dict[str, int]  # the most frequent first


class Quarantine:
    """The rejected lines, or those with one reason or from one raw file.

    Files that cannot be read are skipped; `failures` has the reason by the file's path in the data folder.
    """

    def __init__(self, store: Store, *, reason: str | None = None, file: str | None = None) -> None:
        self._store, self._file = store, file
        self._wanted = pc.scalar(value=True) if reason is None else pc.field("reason") == reason
        self.is_filtered = reason is not None or file is not None
        self.failures: dict[str, str] = {}

    def files(self) -> list[RejectedFile]:
        """Return the raw files with rejected lines, the most recently loaded first."""
        found = [summary for uri in self._uris() if (summary := self._summary(uri))]
        return sorted(found, key=lambda summary: (-summary.loaded_at, summary.source_file))

    def lines(self) -> Iterator[Rejected]:
        """Yield the rejected lines, by file in the order of `files()`, then by line number."""
        for summary in self.files():
            yield from self._lines(quarantine_path(summary.source_file), self._wanted)

    def refuse_damage(self) -> None:
        """Raise an error if any of the files so far could not be read.

        Raises:
            DamagedError: names the first such file.
        """
        for uri, failure in self.failures.items():
            raise DamagedError(uri, failure)

    def line(self, line_number: int) -> Rejected | None:
        """Return one line of the raw file; None if it is not in quarantine.

        Raises:
            ValueError: the quarantine was opened without `file`.
        """
        if self._file is None:
            raise ValueError("a line number means nothing without its file")
        wanted = self._wanted & (pc.field("line_number") == line_number)
        return next(self._lines(quarantine_path(self._file), wanted), None)

    def faults(self, rejected: Rejected) -> list[Rejection]:
        """Return all faults of a line: first the one that was recorded, then what else a run would find.

        The line is validated as of the time when it was loaded, with the actions that the last run accepted.
        """
        recorded = Rejection(cast("Reason", rejected.reason), rejected.field, rejected.message)
        if recorded.reason == "line_too_long":  # and may be cut
            return [recorded]
        torn = recorded.reason == "truncated_line"
        found = faults(rejected.line, rejected.loaded_at + AHEAD_US, actions=self._actions(), torn=torn)
        if found and (found[0].reason, found[0].field) == (recorded.reason, recorded.field):
            found = found[1:]
        return [recorded, *found]

    def _actions(self) -> tuple[str, ...]:
        try:
            published = self._store.published()
        except DamagedError:  # `usage status` reports it
            published = None
        return ACTIONS if published is None else published.actions

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
        """Yield the wanted rows of one file, at most `rows` at once; none if the file is gone.

        Instants are returned as integers. A row group without wanted rows is not decoded in full.
        """
        try:
            file = self._store.local(uri).open("rb")
        except FileNotFoundError:
            return
        except DamagedError:
            self.failures[uri] = _DAMAGED
            return
        except OSError as error:
            refuse_shortage(error)
            self.failures[uri] = error.strerror or str(error)
            return
        with file:
            try:
                parquet = pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
                stored = set(parquet.schema_arrow.names)
                if missing := {field.name for field in QUARANTINE if not field.nullable} - stored:
                    raise pa.ArrowInvalid(f"no column {', '.join(sorted(missing))}")
                wanted_columns = [name for name in columns if name in stored]
                for group in range(parquet.num_row_groups):
                    if not parquet.read_row_group(group, _SELECTED).filter(wanted).num_rows:
                        continue
                    size = min(rows, _rows_at_once(parquet.metadata.row_group(group)))
                    for batch in parquet.iter_batches(size, row_groups=[group], columns=wanted_columns):
                        found = _typed(batch, columns).filter(wanted)
                        found.validate(full=True)  # a flipped bit may leave texts that are not UTF-8
                        if found.num_rows:
                            yield found
            except READING as error:
                refuse_shortage(error)
                self.failures[uri] = _DAMAGED


def write(lines: Iterable[Rejected], file: IO[bytes], warn: Callable[[Rejected], None]) -> int:
    """Write lines to a file, byte for byte, each followed by a newline; return how many.

    Args:
        lines: the lines to write.
        file: the file to write to.
        warn: called with each line that has a `caveat`.
    """
    written = 0
    for rejected in lines:
        if rejected.caveat:
            warn(rejected)
        file.write(rejected.line)
        file.write(b"\n")
        written += 1
    return written


def _rows_at_once(group: Any) -> int:
    """Return how many rows of a row group fit into `_BYTES_AT_ONCE`, by the size in its metadata."""
    return int(max(1, _BYTES_AT_ONCE * group.num_rows // max(1, group.total_byte_size)))


def _typed(batch: pa.RecordBatch, columns: list[str]) -> pa.Table:
    """Return rows in the types of the quarantine's schema, except that instants become int64 microseconds.

    Args:
        batch: the rows, with some of `columns`; missing ones become null.
        columns: names of the result's columns, in their order.

    Raises:
        ValueError: the rows do not fit the schema.
    """
    schema = pa.schema([QUARANTINE.field(name) for name in columns])
    rows = to_schema(pa.Table.from_batches([batch]), schema)
    if "loaded_at" not in columns:
        return rows
    place = columns.index("loaded_at")
    return rows.set_column(place, "loaded_at", rows["loaded_at"].cast(pa.int64()))
