"""Validated rows, shuffled into one file for each bucket that merges them.

Writes Arrow streams under the run's staging folder; reads the streams of a bucket that is too large, to divide it. All
events of a workspace's UTC day go to one bucket. Rows that are forgotten, or outside of a partial rebuild, are dropped,
and the others name no forgotten user from here on.
"""

import zlib
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc

from pipeline.contract.calendar import DAY_US, utc_day
from pipeline.load.arrow_files import ArrowFile, handed_over
from pipeline.load.job import Job
from pipeline.load.redaction import redact
from pipeline.load.results import StagedFile
from pipeline.storage.tombstones import Tombstones
from pipeline.validation.bulk import ROWS, BulkValidator, HandedBack, new_validator

# Lines and rows are collected up to this size before they are dealt out, so that each bucket gets a large batch.
_BUFFER_BYTES: Final = 16 << 20
_DROPPED: Final = -1  # the bucket of rows that are not kept


class LargeBucket(msgspec.Struct, frozen=True):
    """A bucket that is divided before it is merged."""

    rows: list[StagedFile]  # validated rows
    pieces: int  # how many buckets it becomes


def divide(large: LargeBucket, job: Job) -> list[list[StagedFile]]:
    """Shuffle the rows of one bucket into several; return the files of each."""
    # Hashes that are equal modulo `buckets` have `pieces` different values modulo the product.
    shuffle = Shuffle(job, job.buckets * large.pieces)
    job.store.gather([staged.uri for staged in large.rows])
    for staged in large.rows:
        with pa.OSFile(str(job.store.local(staged.uri))) as file, pa.ipc.open_stream(file) as stream:
            for rows in stream:
                shuffle.take(rows)
    return [[found] for _, found in sorted(shuffle.close().items())]


def of_forgotten(users: pa.StringArray, tombstones: Tombstones) -> npt.NDArray[np.bool_]:
    """Return for each row whether its user is forgotten, `(rows,)`; each distinct user is looked up once."""
    names = users.dictionary_encode()
    forgotten = [tombstones.has_user(user) for user in names.dictionary.to_pylist()]
    found: npt.NDArray[np.bool_] = np.array([*forgotten, False])[np.asarray(names.indices.fill_null(-1))]
    return found


def days_of(
    workspaces: pa.StringArray, timestamps: pa.TimestampArray
) -> tuple[list[tuple[str, int]], npt.NDArray[np.int64]]:
    """Return the distinct (workspace, UTC day number) of some rows, and each row's index among them: `(rows,)`."""
    names = workspaces.dictionary_encode()
    days = np.asarray(timestamps.view(pa.int64())) // DAY_US
    first, span = int(days.min()), int(np.ptp(days)) + 1
    keys, places = np.unique(np.asarray(names.indices) * span + days - first, return_inverse=True)
    texts = names.dictionary.to_pylist()
    return [(texts[key // span], key % span + first) for key in keys.tolist()], places


class Shuffle:
    """Takes the rows of some parts, for one piece of work."""

    def __init__(self, job: Job, buckets: int) -> None:
        self._job, self._buckets = job, buckets
        self._approval = new_validator(job.latest, _BUFFER_BYTES, actions=job.actions)
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0
        self._files: dict[int, ArrowFile] = {}
        self._bucket_of: dict[tuple[str, int], int] = {}

    def approve(self, lines: bytes, source: int) -> tuple[int, list[HandedBack]]:
        """Take the rows of those lines of a block that are certainly good.

        Args:
            lines: each ends with a newline.
            source: identifies the lines that the rows came from.

        Returns:
            How many lines there are, and those that are left to the validator.
        """
        if not self._approval.has_room(lines):
            self._deal_approved()
        return self._approval.add(lines, source)

    def take(self, rows: pa.RecordBatch) -> None:
        """Take rows."""
        self._waiting.append(rows)
        self._bytes += rows.nbytes
        if self._bytes >= _BUFFER_BYTES:
            self._deal_waiting()

    def close(self) -> dict[int, StagedFile]:
        """Write the remaining rows; return the files by bucket."""
        self._deal_approved()
        self._deal_waiting()
        return handed_over(self._job, {bucket: file.close() for bucket, file in self._files.items()})

    def _deal_approved(self) -> None:
        if len(self._approval):
            self._deal(self._approval)
        self._approval.clear()

    def _deal_waiting(self) -> None:
        if self._bytes:
            self._deal(pa.concat_batches(self._waiting))
        self._waiting, self._bytes = [], 0

    def _deal(self, rows: BulkValidator | pa.RecordBatch) -> None:
        buckets = self._places(rows)
        dealt, _ = redact(rows.take(np.argsort(buckets, kind="stable")), self._job.tombstones)
        end = 0
        for bucket, size in zip(*map(np.ndarray.tolist, np.unique(buckets, return_counts=True)), strict=True):
            start, end = end, end + size
            if bucket != _DROPPED:
                self._file(bucket).write(dealt.slice(start, size))

    def _places(self, rows: BulkValidator | pa.RecordBatch) -> npt.NDArray[np.int64]:
        """Return the bucket of each row, `(rows,)`; each workspace and day is looked up once."""
        days, places = days_of(rows["workspace_id"], rows["timestamp"])
        buckets = np.array([self._bucket(*day) for day in days], np.int64)[places]
        if self._job.tombstones.users:
            buckets[of_forgotten(rows["user_id"], self._job.tombstones)] = _DROPPED
        return buckets

    def _bucket(self, workspace_id: str, day_number: int) -> int:
        key = workspace_id, day_number
        if key not in self._bucket_of:
            day = utc_day(day_number * DAY_US).isoformat()
            bucket = zlib.crc32(f"{workspace_id}/{day}".encode()) % self._buckets
            self._bucket_of[key] = bucket if self._job.takes(workspace_id, day) else _DROPPED
        return self._bucket_of[key]

    def _file(self, bucket: int) -> ArrowFile:
        if bucket not in self._files:
            self._files[bucket] = ArrowFile(self._job, f"{self._job.staging}/rows/{bucket}.arrow", ROWS)
        return self._files[bucket]
