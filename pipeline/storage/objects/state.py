"""What earlier commands on an object store remembered: the ledger, and which tombstones are carried out.

Reads the objects that a snapshot names.
"""

import msgspec

from pipeline.contract.object_names import CARRIED_OUT
from pipeline.storage.entries import Entry
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.tombstones import Tombstones
from pipeline.storage.unread import Unread


class ObjectState:
    """What earlier commands remembered, as of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def entries(self) -> dict[str, Entry]:
        """Return the entries of the ledger by raw object."""
        found = self._snapshot.raw_objects()
        return {name: record.entry for name, record in found.items() if record.entry is not None}

    def unread(self) -> dict[str, Unread]:
        """Return the raw objects that could not be read to their end, by name."""
        found = self._snapshot.raw_objects()
        return {name: record.unread for name, record in found.items() if record.unread is not None}

    def carried_out(self) -> Tombstones:
        """Return the tombstones whose data are gone from the tables."""
        content = self._snapshot.read_file(CARRIED_OUT)
        return Tombstones() if content is None else msgspec.json.decode(content, type=Tombstones)

    def discarded_files(self) -> set[str]:
        """Return nothing: no commit is ever half published."""
        return set()

    def is_trusted(self) -> bool:
        """Return True: ledger and tables are of the same root."""
        return True

    def torn_months(self) -> list[tuple[str, str]]:
        """Return nothing: no commit is ever half published."""
        return []

    def mended(self) -> None:
        """Do nothing: no month is ever torn."""
