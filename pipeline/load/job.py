"""What the steps of one run share; it goes to other processes with each piece of work."""

from datetime import date
from typing import Final

import msgspec

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import utc_day_start
from pipeline.load.discovery import PREFIX_BYTES
from pipeline.load.raw_source import RawSource
from pipeline.load.rebuild import Rebuild
from pipeline.storage.store import Store
from pipeline.storage.tombstones import Tombstones


class Limits(msgspec.Struct, frozen=True):
    """How much is done at once. With these limits, all processes of a run together stay below 1 GiB."""

    slice_bytes: int = 4_000_000_000  # of logs in one commit: its staged files must fit on the disk
    # On a cluster, where each machine has only its share of them, so much for each so many slots: with less, most slots
    # would wait for the last pieces of each step.
    slice_slots: int = 16
    bucket_bytes: int = 48_000_000  # of logs in a bucket: its rows must fit into memory
    buckets: int = 256  # a shuffle keeps a file open for each
    processes_bytes: int = 8_000_000  # with fewer bytes of logs, a run ends before other processes have started
    processes_days: int = 1_000  # likewise, with fewer days to merge again
    split_bytes: int = 64_000_000  # of a plain file that several processes read
    # Small files are read in batches of this size, or in larger ones if that would make more than about `batches`,
    # because each batch writes a file for every bucket.
    batch_bytes: int = 16_000_000
    batches: int = 512
    chunk_bytes: int = 1 << 20  # of a raw file read at once; small enough for the processor's cache
    # A bucket is divided if its staged rows reach twice this size. Most have about this size, and the largest one and a
    # half times this size; larger ones come from a rebuild that needs more than `buckets`, or from logs that compress
    # unusually well.
    bucket_rows_bytes: int = 28_000_000
    rerun_days: int = 256  # days to merge again in one bucket: enough to be worth an engine
    stored_bytes: int = 64 << 20  # of stored events merged in one pass: about the size of a bucket's new rows
    stored_month_bytes: int = 32 << 20  # of stored cube or actors rolled up in one pass
    # With fewer new rows, or fewer days to merge again, a group of months to roll up is not worth its files.
    group_rows_bytes: int = 4 << 20
    group_days: int = 64
    prefix_bytes: int = PREFIX_BYTES  # hashed at each end of what was read of a plain file


DEFAULT_LIMITS: Final = Limits()


class Resources(msgspec.Struct, frozen=True):
    """What one piece of work may use of the machine."""

    threads: int
    memory: str  # of the engine, such as `300MB`


_FEW: Final = Resources(1, "100MB")


class Job(msgspec.Struct, frozen=True):
    """One run, or one slice of a large one."""

    store: Store
    raw: RawSource
    run: str
    started: int  # microseconds UTC
    latest: int  # the last instant that an event may have, in microseconds UTC
    buckets: int
    tombstones: Tombstones
    force: bool = False  # rewrite what was touched even if it did not change
    rebuild: Rebuild | None = None  # what is rebuilt, as if none of it were stored
    limits: Limits = DEFAULT_LIMITS
    extra_actions: tuple[str, ...] | None = None  # None: the job reads no lines, and leaves what is published
    groups: int = 1  # of months that are rolled up together
    attempt: str = ""  # of which piece of work; empty for the coordinator
    resources: Resources = _FEW

    @property
    def actions(self) -> tuple[str, ...]:
        """Return the actions that lines may have."""
        return (*ACTIONS, *(self.extra_actions or ()))

    @property
    def staging(self) -> str:
        """Return the folder below which the attempt stages files; for the coordinator, that of the whole run."""
        return f"staging/{self.run}/{self.attempt}" if self.attempt else f"staging/{self.run}"

    @property
    def rejected_at(self) -> int:
        """Return the `loaded_at` of lines that are rejected now, in microseconds UTC.

        If the clock is before the first day that is kept, it is wrong, and the lines would expire at once: they count
        as rejected on that day.
        """
        floor = self.tombstones.floor
        return max(self.started, utc_day_start(date.fromisoformat(floor))) if floor else self.started

    def takes(self, workspace_id: str, day: str) -> bool:
        """Return whether events of a workspace's UTC day `YYYY-MM-DD` go into the tables."""
        if self.tombstones.cover(workspace_id, day):
            return False
        return self.rebuild is None or self.rebuild.covers(workspace_id, day[:7])

    def refuse_damage(self, uri: str) -> None:
        """Compare a file, if it exists, with its digest, if that is known, because its rows are written again.

        Raises:
            DamagedError: it is not as it was written.
        """
        if self.store.exists(uri):
            self.store.refuse_damage(uri, self.store.digests([uri]).get(uri))
