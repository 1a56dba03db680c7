"""What the steps of one run share; it goes to other processes with each piece of work."""

from typing import Final

import msgspec

from pipeline.load.rebuild import Rebuild
from pipeline.storage.store import Store
from pipeline.storage.tombstones import Tombstones

# A shuffle keeps a file open for each bucket.
BUCKETS_MAX: Final = 256


class Job(msgspec.Struct, frozen=True):
    """One run, or one slice of a large one."""

    store: Store
    run: str
    started: int  # microseconds UTC
    latest: int  # the last instant that an event may have
    buckets: int
    tombstones: Tombstones
    force: bool = False  # rewrite what was touched even where it did not change
    rebuild: Rebuild | None = None  # what is made anew, as if nothing of it stood

    @property
    def staging(self) -> str:
        """Return the run's staging folder."""
        return f"staging/{self.run}"

    def takes(self, workspace_id: str, day: str) -> bool:
        """Return whether events of a workspace's UTC day `YYYY-MM-DD` go into the tables."""
        if self.tombstones.cover(workspace_id, day):
            return False
        return self.rebuild is None or self.rebuild.covers(workspace_id, day[:7])
