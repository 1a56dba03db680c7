"""Writes the rejected lines of one raw file for its quarantine file.

Reads the stored quarantine file, for lines that are not read again; writes the new file under the run's staging folder.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.contract.tables import QUARANTINE, quarantine_path
from pipeline.load.discovery import Part
from pipeline.load.job import Job
from pipeline.quarantine import Rejected
from pipeline.storage import digests
from pipeline.storage.damage import READING, refuse_shortage
from pipeline.storage.parquet import ParquetWriter, to_schema
from pipeline.storage.store import DamagedError, Operation
from pipeline.validation.records import Rejection

# A row group has at most this many rows, or about this many bytes.
_GROUP_ROWS: Final = 4096
_GROUP_BYTES: Final = 4 << 20
# Readers decode a whole page at once, and lines may have 1 MiB or more: the default of 1024 rows could be a gigabyte.
_PAGE_ROWS: Final = 16


class QuarantineWriter:
    """Writes the rejected lines that were read before, then those of this part.

    Args:
        job: the run.
        part: what is read of the raw file.
        number: the part's number in the run; only the splits of one part share it.
    """

    def __init__(self, job: Job, part: Part, number: int) -> None:
        self._job, self._part = job, part
        self._final = quarantine_path(part.source_file)
        self._staged = f"{job.staging}/quarantine/{number}-{part.end}.parquet"
        self._rows: list[dict[str, object]] = []
        self._bytes = self._written = 0
        self._writer: ParquetWriter | None = None

    def add(self, line_number: int, rejection: Rejection, line: bytes) -> None:
        """Add a line that was rejected now."""
        source_file, rejected_at = self._part.source_file, self._job.rejected_at
        reason, field, message = msgspec.structs.astuple(rejection)
        self.keep(Rejected(source_file, line_number, reason, field, message, line, rejected_at))

    def keep(self, rejected: Rejected) -> None:
        """Add a line as it is in the quarantine."""
        self._rows.append(msgspec.structs.asdict(rejected))
        self._bytes += len(rejected.line)
        if len(self._rows) >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def take(self, staged: str, lines_before: int) -> None:
        """Add the rejected lines of a split of the part, and delete their file.

        Args:
            staged: the file, whose line numbers count from the start of the split.
            lines_before: lines of the raw file before the split.
        """
        writer = self._flush()
        path = self._job.store.local(staged)
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group)
                place = QUARANTINE.get_field_index("line_number")
                numbers = pc.add(rows[place], lines_before)
                self._write(writer, rows.set_column(place, QUARANTINE.field(place), numbers))
        path.unlink()  # before the sync, which would wait for it to reach the disk

    def close(self) -> list[Operation]:
        """Return the operation that publishes the new file or deletes the stored one; none if nothing changed."""
        store, part = self._job.store, self._part
        if part.lines_before and not self._rows and self._writer is None and not part.tail_before.rejected:
            return []
        if self._rows or part.lines_before:
            self._flush()
        if self._writer is not None:
            self._writer.add_key_value_metadata({"run": self._job.run})  # tells recovery which run wrote the file
            self._writer.close()
            if self._written:
                digest = digests.of_file(store.scratch(self._staged))
                return [store.staged(self._staged, self._final, digest)]
        return [Operation("delete", self._final)] if store.exists(self._final) else []

    def _flush(self) -> ParquetWriter:
        if self._writer is None:
            self._job.store.folder(self._staged.rpartition("/")[0])
            path = self._job.store.scratch(self._staged)
            self._writer = ParquetWriter(
                path, QUARANTINE, compression="zstd", store_schema=False, write_batch_size=_PAGE_ROWS
            )
            for rows in self._before():
                self._write(self._writer, rows)
        self._write(self._writer, pa.Table.from_pylist(self._rows, schema=QUARANTINE))
        self._rows.clear()
        self._bytes = 0
        return self._writer

    def _write(self, writer: ParquetWriter, rows: pa.Table) -> None:
        if rows.num_rows:
            writer.write_table(rows)
            self._written += rows.num_rows

    def _before(self) -> Iterator[pa.Table]:
        """Yield the stored rows of lines that are not read again, a few at a time.

        Raises:
            DamagedError: they cannot be read.
        """
        store, lines = self._job.store, self._part.lines_before
        if not lines or not store.exists(self._final):
            return
        self._job.refuse_damage(self._final)
        try:
            with store.local(self._final).open("rb") as file:
                for batch in pq.ParquetFile(file).iter_batches(_PAGE_ROWS):
                    rows = to_schema(pa.Table.from_batches([batch]), QUARANTINE)
                    rows.validate(full=True)
                    yield rows.filter(pc.less_equal(rows["line_number"], lines))
        except READING as error:
            refuse_shortage(error)
            raise DamagedError(self._final, str(error)) from None
