"""Step 2: read the parts of raw files line by line, have each line judged, and sort the good ones into buckets.

Reads raw files; writes approved rows as JSON Lines and rejected lines as Parquet, both under the run's staging folder.
"""

import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import IO, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import listing
from pipeline.calendar import DAY_US, utc_day
from pipeline.judge import judge
from pipeline.listing import Part
from pipeline.rebuilding import Rebuild
from pipeline.records import Reason, Rejection, Row
from pipeline.state import Counts, Entry
from pipeline.store import Operation, Store
from pipeline.tables import QUARANTINE, quarantine_path

_CHUNK_BYTES: Final = 1 << 20
# A stream that breaks off gives nothing of the chunk it breaks in.
_COMPRESSED_CHUNK_BYTES: Final = 1 << 16
_BUFFER_BYTES: Final = 1 << 20
_REJECTED_ROWS: Final = 4096
# Of a longer line this much goes to the quarantine, so that a file without newlines needs no more memory than that.
_LINE_KEPT_BYTES: Final = 16 << 20
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Job(msgspec.Struct, frozen=True):
    """What the steps of a run share."""

    store: Store
    run: str
    started: int  # microseconds UTC
    latest: int  # the last instant that an event may have
    buckets: int
    force: bool = False  # rewrite what was touched even where it did not change
    rebuild: Rebuild | None = None  # what is made anew, as if nothing of it stood

    @property
    def staging(self) -> str:
        """Return the run's staging folder."""
        return f"staging/{self.run}"

    def rows_path(self, bucket: int, source: int) -> str:
        """Return the file of one part's approved rows in one bucket."""
        return f"{self.staging}/rows/{bucket}/{source}.jsonl"


class PartReport(msgspec.Struct):
    """What reading one part gave."""

    source_file: str
    source: int
    bytes: int  # read from the file, uncompressed
    entry: Entry | None  # None where the file could not even be opened: the next run tries again
    counts: Counts  # of the lines read now; the good ones are duplicates until it is known which of them stand
    tail: Counts  # of these, the line at the end that has no newline
    reasons: Counter[Reason]
    operations: list[Operation]
    buckets: list[int]
    before: Counts
    error: str | None = None

    @property
    def source_of_lines(self) -> int:
        """Return what the rows of whole lines carry as their source."""
        return 2 * self.source

    @property
    def source_of_tail(self) -> int:
        """Return what the row of a line without newline carries: it is read again when the file grows."""
        return 2 * self.source + 1


def read(part: Part, source: int, job: Job) -> PartReport:
    """Read one part, of which there are others with other `source` numbers."""
    reader = _Reader(part, source, job)
    entry, error = None, None
    try:
        with part.path.open("rb") as file:
            status = os.fstat(file.fileno())
            try:
                reader.read(file, status.st_size)
            except OSError as failure:
                if part.compression is None:
                    raise
                error = f"{failure}; the {reader.lines:,} lines before that are read"
            proof = "" if part.compression else listing.proof(part.path, reader.offset)
            entry = Entry(
                path=part.source_file,
                inode=status.st_ino,
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                run=job.run,
                counts=Counts(),
                tail=Counts(),
                offset=reader.offset,
                proof=proof,
                error=error,
            )
    except OSError as failure:
        error = failure.strerror or str(failure)
    return reader.report(entry, error)


class _Reader:
    """The state of reading one part."""

    def __init__(self, part: Part, source: int, job: Job) -> None:
        self.part, self.source, self.job = part, source, job
        self.offset = part.offset  # behind the last newline
        self.lines = self.good = self.blank = self.bytes = 0
        self.tail = Counts()
        self.reasons: Counter[Reason] = Counter()
        self._encode_lines = msgspec.json.Encoder().encode_lines
        self._buffers: dict[int, list[Row]] = {}
        self._buffered = 0
        self._bucket_of: dict[tuple[str, int], int] = {}
        self._rejected = _Quarantine(part, source, job)

    def read(self, file: IO[bytes], size: int) -> None:
        """Judge every line of the part.

        Raises:
            OSError: the file cannot be read on, or does not decompress.
        """
        if self.part.compression:
            stream = pa.CompressedInputStream(pa.PythonFile(file), self.part.compression)
            chunks = _chunks(stream, _COMPRESSED_CHUNK_BYTES, sys.maxsize)
        else:
            file.seek(self.part.offset)
            chunks = _chunks(
                file, _CHUNK_BYTES, size - self.part.offset
            )  # what is appended meanwhile is for the next run
        latest = self.job.latest
        try:
            for line, length, whole in _lines(chunks):
                text = line
                if self.lines == 0 and self.part.offset == 0:
                    text = line.removeprefix(_BYTE_ORDER_MARK)
                    if not text and not whole:
                        break
                self.lines += 1
                self.bytes += length
                verdict = judge(text, latest, torn=not whole)
                if type(verdict) is Row:
                    self._keep(verdict, whole, length)
                elif type(verdict) is Rejection:
                    self._reject(verdict, text, whole)
                else:
                    self._skip(whole)
                if whole:
                    self.offset += length
        finally:
            self._flush()

    def report(self, entry: Entry | None, error: str | None) -> PartReport:
        """Return what came of it."""
        rejected = sum(self.reasons.values())
        return PartReport(
            source_file=self.part.source_file,
            source=self.source,
            bytes=self.bytes,
            entry=entry,
            counts=Counts(lines=self.lines, duplicates=self.good, rejected=rejected, blank=self.blank),
            tail=self.tail,
            reasons=self.reasons,
            operations=self._rejected.operations() if entry else [],
            buckets=sorted(self._buffers),
            before=self.part.counts_before,
            error=error,
        )

    def _keep(self, row: Row, whole: bool, length: int) -> None:
        self.good += 1
        if self.job.rebuild is not None and not self.job.rebuild.takes(row.workspace_id, row.timestamp):
            return
        row.source = 2 * self.source
        if not whole:
            row.source += 1
            self.tail = Counts(lines=1, duplicates=1)
        bucket = 0
        if self.job.buckets > 1:
            key = (row.workspace_id, row.timestamp // DAY_US)
            found = self._bucket_of.get(key)
            bucket = self._bucket(*key) if found is None else found
        self._buffers.setdefault(bucket, []).append(row)
        self._buffered += length
        if self._buffered >= _BUFFER_BYTES:
            self._flush()

    def _bucket(self, workspace_id: str, day: int) -> int:
        """Return the bucket that all events of a workspace's UTC month go to."""
        month = utc_day(day * DAY_US).strftime("%Y-%m")
        bucket = zlib.crc32(f"{workspace_id}/{month}".encode()) % self.job.buckets
        self._bucket_of[workspace_id, day] = bucket
        return bucket

    def _reject(self, rejection: Rejection, line: bytes, whole: bool) -> None:
        self.reasons[rejection.reason] += 1
        if not whole:
            self.tail = Counts(lines=1, rejected=1)
        self._rejected.add(self.part.lines_before + self.lines, rejection, line)

    def _skip(self, whole: bool) -> None:
        self.blank += 1
        if not whole:
            self.tail = Counts(lines=1, blank=1)

    def _flush(self) -> None:
        for bucket, rows in self._buffers.items():
            if not rows:
                continue
            path = self.job.store.path(self.job.rows_path(bucket, self.source))
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(self._encode_lines(rows))
            rows.clear()
        self._buffered = 0


class _Quarantine:
    """The rejected lines of one raw file: those of the lines read before, then those of this part."""

    def __init__(self, part: Part, source: int, job: Job) -> None:
        self._part, self._job = part, job
        self._final = quarantine_path(part.source_file)
        self._staged = f"{job.staging}/quarantine/{source}.parquet"
        self._rows: list[dict[str, object]] = []
        self._writer: pq.ParquetWriter | None = None
        self._before = self._read_before()

    def add(self, line_number: int, rejection: Rejection, line: bytes) -> None:
        """Add one line."""
        self._rows.append(
            {
                "source_file": self._part.source_file,
                "line_number": line_number,
                "reason": rejection.reason,
                "field": rejection.field,
                "message": rejection.message,
                "line": line,
                "loaded_at": self._job.started,
            }
        )
        if len(self._rows) >= _REJECTED_ROWS or len(line) > _BUFFER_BYTES:
            self._flush()

    def operations(self) -> list[Operation]:
        """Return what publishes the file, or takes a former one away."""
        store = self._job.store
        if self._rows or self._before is not None:
            self._flush()
        if self._writer is not None:
            self._writer.close()
            return [store.staged(self._staged, self._final)]
        return [Operation("delete", self._final)] if store.exists(self._final) else []

    def _read_before(self) -> pa.Table | None:
        """Return the rows of the lines that are not read again, if any."""
        store, lines = self._job.store, self._part.lines_before
        if not lines or not store.exists(self._final):
            return None
        rows = pq.read_table(store.path(self._final), schema=QUARANTINE, filters=[("line_number", "<=", lines)])
        return rows if rows.num_rows else None

    def _flush(self) -> None:
        if self._writer is None:
            path = self._job.store.path(self._staged)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(path, QUARANTINE, compression="zstd", store_schema=False)
            if self._before is not None:
                self._writer.write_table(self._before)
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=QUARANTINE))
        self._rows.clear()


def _chunks(stream: IO[bytes], chunk_bytes: int, size: int) -> Iterator[bytes]:
    while chunk := stream.read(min(chunk_bytes, size)):
        size -= len(chunk)
        yield chunk


def _lines(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, int, bool]]:
    """Yield each line without its newline, its length with it, and whether it had one."""
    rest, dropped = b"", 0
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line, len(line) + dropped + 1, True
            dropped = 0
        if len(rest) > _LINE_KEPT_BYTES:
            dropped += len(rest) - _LINE_KEPT_BYTES
            rest = rest[:_LINE_KEPT_BYTES]
    if rest:
        yield rest, len(rest) + dropped, False
