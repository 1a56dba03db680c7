"""The ledger on an object store: what is recorded of each raw object, in shards by the hash of its name.

Defines the records; reads and writes nothing. An object does not grow: one with another ETag is read again.
"""

from collections.abc import Iterator, Mapping

import msgspec

from pipeline.storage.entries import Entry
from pipeline.storage.unread import Unread


class RawObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is recorded of one raw object.

    Attributes:
        etag: of the object when it was read, or when that failed.
        entry: of the ledger; None if nothing of the object was ever read.
        unread: why it could not be read to its end; None if it was.
    """

    etag: str = ""
    entry: Entry | None = None
    unread: Unread | None = None


class LedgerShard(msgspec.Struct, frozen=True, omit_defaults=True):
    """The raw objects of one shard, by name."""

    objects: Mapping[str, RawObject] = {}

    def changed(self, changes: Mapping[str, RawObject | None], *, rebuilt: bool = False) -> "LedgerShard":
        """Return the shard with some records added, replaced, or (None) removed.

        Args:
            changes: the records by the name of the raw object.
            rebuilt: whether all other records are removed.
        """
        found: dict[str, RawObject | None] = {} if rebuilt else dict(self.objects)
        found.update(changes)
        return LedgerShard({name: record for name, record in sorted(found.items()) if record is not None})

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of the raw objects that were read."""
        return (record.entry for record in self.objects.values() if record.entry is not None)
