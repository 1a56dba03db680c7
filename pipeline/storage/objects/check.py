"""The tables on an object store as the check has them open: those of one root. It needs no lease.

Reads the root, the index and the ledger, and makes copies in a scratch folder; writes nothing to the store. Runs may
commit meanwhile: what they replace stays for a grace. A check that takes longer may miss files, and finds out which.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.contract.layout import LayoutError
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import AccessError
from pipeline.contract.object_names import ROOT
from pipeline.storage.digests import Digest
from pipeline.storage.objects.scratch import Scratch, scratch
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.state import ObjectState
from pipeline.storage.objects.store import ObjectStore
from pipeline.storage.objects.sweep import ORPHANS, orphans, store_time
from pipeline.storage.store import DamagedError, Store
from pipeline.storage.tombstones import Tombstones

_TRIES: Final = 3  # to read all shards of one root before a run replaces and sweeps them


class CheckedObjectState(ObjectState):
    """What earlier commands remembered, and what the index records of every file."""

    def carried_out(self) -> Tombstones:
        """Return the tombstones whose data are gone from the tables.

        Raises:
            DamagedError: their file is not as it was written.
        """
        try:
            return super().carried_out()
        except LayoutError as error:
            raise DamagedError(error.key, error.cause) from None

    def digests(self) -> dict[str, Digest]:
        """Return the digests of all published files by path."""
        return {path: Digest(file.size, file.checksum) for path, file in self._snapshot.files()}

    def unfinished(self, _: Store) -> None:
        """Return None: no commit is ever half published."""

    def refuse_damage(self) -> None:
        """Do nothing: damaged shards are left out, and reported."""


class ObjectCheck:
    """The `CheckedTables` of an object store.

    Args:
        snapshot: of the root, without damaged shards.
        local: for copies.
        damage: what is wrong with the damaged shards.
    """

    def __init__(self, snapshot: Snapshot, local: Scratch, damage: Iterable[LayoutError]) -> None:
        self._snapshot = snapshot
        self.store = ObjectStore(snapshot, local)
        self.damage = [DamagedError(error.key, error.cause) for error in damage]

    @contextmanager
    def state(self) -> Iterator[CheckedObjectState]:
        """Open the state."""
        yield CheckedObjectState(self._snapshot)

    def is_current(self, uri: str) -> bool:
        """Return whether the current root still names the same object for a file."""
        try:
            return Snapshot.read(self._snapshot.client).file(uri) == self._snapshot.file(uri)
        except LayoutError:  # it was replaced once more
            return False

    def leftovers(self) -> list[str]:
        """Return how many objects failed runs have left, as far as they may be listed and the index is whole."""
        if self.damage:
            return []
        client = self._snapshot.client
        try:
            sizes = [found.size for found in orphans(self._snapshot, store_time(client) - ORPHANS)]
        except AccessError as error:
            return [f"it is unknown whether objects are left that nothing names: {error}"]
        except LayoutError as error:  # of a list that says what readers may still need; a run may have deleted it
            cause = "runs have replaced the root" if self._is_overtaken() else str(error)
            return [f"it is unknown whether objects are left that nothing names: {cause}"]
        if not sizes:
            return []
        return [f"{len(sizes):,} objects, {sum(sizes):,} bytes, are left of runs that failed; a later run deletes them"]

    def _is_overtaken(self) -> bool:
        return self._snapshot.client.get(ROOT, unless=self._snapshot.etag or "") is not None


@contextmanager
def opened(client: Client, parent: Path | None = None) -> Iterator[ObjectCheck]:
    """Open the tables as of the current root.

    Args:
        client: of the store.
        parent: the folder in which the scratch folder is created; that for temporary files if it is None.

    Raises:
        ObjectStoreError: the store cannot be used.
        LayoutError: the root is damaged.
        OSError: there is no scratch folder.
    """
    with scratch(client, parent) as local:
        yield ObjectCheck(*_intact(client, local))


def _intact(client: Client, local: Scratch) -> tuple[Snapshot, Scratch, list[LayoutError]]:
    """Read the index and the ledger of one root: if shards are missing, it may be one that was replaced meanwhile."""
    for tried in range(1, _TRIES + 1):
        found = Snapshot.read(client)
        snapshot, damage = found.intact()
        if not damage or tried == _TRIES or client.get(ROOT, unless=found.etag or "") is None:
            return snapshot, local, damage
    raise AssertionError("the last try returns")
