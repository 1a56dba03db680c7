"""The tables on an object store, held by a command that changes them: the lease, the snapshot and the scratch folder.

There is no journal and nothing to recover: until the root is flipped, nothing has happened.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pipeline.contract.calendar import zone_data_version
from pipeline.contract.layout import LayoutError, StoredFile
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import ObjectStoreError, OvertakenError
from pipeline.contract.object_names import CARRIED_OUT, object_key, object_name
from pipeline.contract.tables import SCHEMA_VERSION, Published
from pipeline.storage import catalog
from pipeline.storage.changes import Changes, Extent
from pipeline.storage.lock import BusyError
from pipeline.storage.objects import commit as commits
from pipeline.storage.objects.delta import DeltaLog, delete_log
from pipeline.storage.objects.lease import Lease, leased
from pipeline.storage.objects.ledger import RawObject
from pipeline.storage.objects.probe import refuse_unsuitable
from pipeline.storage.objects.scratch import Scratch, scratch
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.state import ObjectState
from pipeline.storage.objects.store import ObjectStore
from pipeline.storage.objects.sweep import is_due as is_due_for_orphans
from pipeline.storage.objects.sweep import store_time, sweep, sweep_orphans
from pipeline.storage.store import TABLES, DamagedError, Operation
from pipeline.storage.tombstones import TOMBSTONES, Tombstone, Tombstones, encoded
from pipeline.storage.unread import Unread


class ObjectWriter:
    """A `Writer` of an object store.

    Args:
        client: of the store.
        lease: that is held.
        scratch: for local copies and staged files.
        shared: whether all pieces of work use this scratch folder.
        log: that is written after each commit, if one is wanted.
    """

    def __init__(
        self, client: Client, lease: Lease, scratch: Scratch, *, shared: bool = True, log: DeltaLog | None = None
    ) -> None:
        self._client, self._lease, self._scratch, self._shared, self._log = client, lease, scratch, shared, log
        self._swept: set[str] = set()
        self._began = 0  # by the store's clock
        self._is_whole = True  # no shard is left out
        self._read()

    def _read(self) -> None:
        self._use(Snapshot.read(self._client))

    def _use(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.store = ObjectStore(self._snapshot, self._scratch, shared=self._shared)
        self.state = ObjectState(self._snapshot)

    def recover(self) -> None:
        """Delete what commits superseded more than a grace ago; complete the log if the last run did not.

        In that case, nothing is deleted yet: readers of the log have only now come to know that files are superseded.
        From a damaged index the log cannot be completed: the rebuild that goes on without it writes the log.
        """
        self._began = store_time(self._client)
        if self._log is not None and self._is_whole and self._log.sync():
            return
        self._swept |= sweep(self._snapshot, self._began)

    def tombstones(self) -> Tombstones:
        """Return the tombstones.

        Raises:
            TombstonesError: the file has a line that is not a tombstone.
            DamagedError: the file is not as it was written.
        """
        return self.store.tombstones()

    def add_tombstones(self, tombstones: Sequence[Tombstone]) -> None:
        """Add tombstones by a commit of their own; none need no commit."""
        if not tombstones:
            return
        content = (self.store.read(TOMBSTONES) or b"") + encoded(tombstones)
        self._publish({TOMBSTONES: content})

    def carry_out(self, tombstones: Tombstones) -> None:
        """Delete what is not current, and record by a commit that nothing is stored that these tombstones cover."""
        self._publish({})  # so that no run that began earlier can commit what it has put
        self._finish_erasure(tombstones)

    def pass_over_damage(self) -> None:
        """Leave damaged shards of index and ledger out of what is published, for a rebuild of all tables."""
        snapshot, damage = self._snapshot.intact()
        self._use(snapshot)
        self._is_whole = not damage

    def trust_if_empty(self) -> None:
        """Do nothing: ledger and tables are of the same root."""

    def commit(self, changes: Changes) -> list[str]:
        """Publish changes, and record the raw objects as read; what was erased is gone when this returns.

        Returns:
            What failed although everything is published, for people: to write the log, or to look for orphans.

        Raises:
            BusyError: another run is at work, or committed first; nothing was published.
            ObjectStoreError: the store cannot be used.
        """
        files = _files(self.store, changes)
        attempt = commits.new_token()
        record = self._earlier_records(changes) + changes.record
        files[changes.record_uri] = self._put(changes.record_uri, record, changes.run, attempt)
        before, is_due = self._snapshot, is_due_for_orphans(self._snapshot.root, self._began)
        self._commit(
            commits.RootChanges(
                run=changes.run,
                attempt=attempt,
                published=changes.published,
                files=files,
                raw_objects=self._raw_objects(changes),
                rebuilt=changes.forget_others,
                is_complete=True if changes.complete else None,
                swept=frozenset(self._swept),
                orphans_at=self._began if is_due else None,
            )
        )
        if changes.carried_out is not None:
            self._finish_erasure(changes.carried_out)
            return []
        return self._write_log(before) + (self._sweep_orphans() if is_due else [])

    def clear(self, folder: str) -> None:
        """Remove a folder of staged files."""
        self.store.clear(folder)

    def _finish_erasure(self, tombstones: Tombstones) -> None:
        """Delete what is not current, and then record that these tombstones are carried out.

        If this is interrupted, the next run sees that they are not, and comes here again.
        """
        self._sweep_all()
        self._publish({CARRIED_OUT: msgspec.json.encode(tombstones)})
        self._sweep_at_once()  # the lists of what was deleted have names of it

    def _sweep_all(self) -> None:
        """Delete what is not current, at once: what was erased may also be in what failed runs have left."""
        if self._log is None:
            delete_log(self._client)  # that of runs which wanted one: it names what was erased
        else:
            self._log.forget_earlier()
        now = self._sweep_at_once()
        sweep_orphans(self._snapshot, now, age=0, swept=self._swept)

    def _sweep_at_once(self) -> int:
        """Delete what was superseded, without the grace, and return the time by the store's clock."""
        now = store_time(self._client)
        self._swept |= sweep(self._snapshot, now, grace=0)
        return now

    def _sweep_orphans(self) -> list[str]:
        """Delete what failed runs have left; if that fails, return why, since everything is published."""
        try:
            sweep_orphans(self._snapshot, self._began)
        except (ObjectStoreError, LayoutError) as error:
            return [f"what failed runs have left was not deleted, and is tried again in a day: {error}"]
        return []

    def _publish(self, contents: Mapping[str, bytes]) -> None:
        """Publish these files by their logical paths, and nothing else."""
        run, attempt = commits.new_token(), commits.new_token()
        published = self.store.published() or Published(0, "", None, SCHEMA_VERSION, zone_data_version())
        files = {path: self._put(path, content, run, attempt) for path, content in contents.items()}
        swept = frozenset(self._swept)
        self._commit(commits.RootChanges(run=run, attempt=attempt, published=published, files=files, swept=swept))

    def _commit(self, changes: commits.RootChanges) -> None:
        self._lease.refuse_loss()
        try:
            commits.commit(self._snapshot, changes)
        except OvertakenError as error:
            raise BusyError(str(error)) from None
        self._swept -= set(changes.swept)
        self._read()

    def _write_log(self, before: Snapshot) -> list[str]:
        """Write the log, if one is wanted; if that fails, return why, since everything is published."""
        try:
            if self._log is not None:
                self._log.sync(before)
        except (ObjectStoreError, LayoutError) as error:
            return [f"the Delta log is behind, until the next run completes it: {error}"]
        return []

    def _earlier_records(self, changes: Changes) -> bytes:
        """Return the records of earlier runs of the same day; a rebuild of everything gives up damaged ones."""
        try:
            return self.store.read(changes.record_uri) or b""
        except DamagedError:
            if changes.rebuilt is None or not changes.rebuilt.everything:
                raise
            return b""

    def _put(self, path: str, content: bytes, run: str, attempt: str) -> StoredFile:
        file = StoredFile.of(object_name(path, run, attempt), content)
        self._client.create(object_key(path, file.name), content, file)
        return file

    def _raw_objects(self, changes: Changes) -> dict[str, RawObject | None]:
        """Return the records of the ledger that change."""
        entries = {entry.path: entry for entry in changes.entries}
        before = {} if changes.forget_others else self.state.entries()
        unread: Mapping[str, Unread] = self.state.unread() if changes.unread is None else changes.unread
        touched = entries.keys() | unread.keys() | (set() if changes.forget_others else self.state.unread().keys())
        found: dict[str, RawObject | None] = {}
        for name in touched:
            record = RawObject(entry=entries.get(name) or before.get(name), unread=unread.get(name))
            found[name] = None if record == RawObject() else record
        return found


def _files(store: ObjectStore, changes: Changes) -> dict[str, StoredFile | None]:
    """Return what becomes of each logical path; None removes it."""
    found: dict[str, StoredFile | None] = {}
    stored = store.months(changes.months)
    for workspace_id, months in changes.months.items():
        for month, files in months.items():
            before = stored.get(workspace_id, {}).get(month)
            if files is None and before is not None:
                found |= {before.cube: None, before.actors: None}
    if changes.rebuilt is not None:
        found |= dict.fromkeys(_leftovers(store, changes.rebuilt))
    for operations in [*changes.tables.values(), changes.others, changes.orphans]:
        found |= {operation.final: _stored(operation) for operation in operations}
    return found


def _leftovers(store: ObjectStore, rebuilt: Extent) -> Iterator[str]:
    """Yield the files of what is rebuilt."""
    for table in TABLES:
        for uri in catalog.files(store, table):
            workspace_id, partition = (folder.partition("=")[2] for folder in uri.split("/")[1:3])
            if rebuilt.covers(workspace_id, partition[:7]):
                yield uri
    if rebuilt.everything:
        yield from catalog.quarantine_files(store)


def _stored(operation: Operation) -> StoredFile | None:
    """Return the object that a piece of work has put for an operation; None for a delete."""
    if operation.kind == "delete" or operation.checksum is None:
        return None
    return StoredFile(operation.staged, operation.size, operation.checksum)


@contextmanager
def opened(
    client: Client, parent: Path | None = None, *, shared: bool = True, delta_log: bool = False
) -> Iterator[ObjectWriter]:
    """Hold the tables on an object store, and keep every other run away.

    Args:
        client: of the store.
        parent: the folder in which the scratch folder is created; that for temporary files if it is None.
        shared: whether all pieces of work of the command run on this machine.
        delta_log: whether a Delta log of the events is written after each commit.

    Raises:
        BusyError: another run is at work.
        ObjectStoreError: the store cannot be used, or ignores the conditions of writes.
        OSError: there is no scratch folder.
    """
    refuse_unsuitable(client)
    with leased(client, commits.new_token()) as lease, scratch(client, parent) as local:
        yield ObjectWriter(client, lease, local, shared=shared, log=DeltaLog(client) if delta_log else None)
