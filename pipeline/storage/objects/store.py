"""The store whose published files are objects: what a root names, with local copies for whoever reads files itself.

Reads the snapshot that a command began with, so nothing changes beneath it. Files are staged in a scratch folder, and
put under names of their own as soon as the piece of work that made them is done; a later commit names them.
"""

import shutil
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from pipeline.contract.layout import IndexShard, LayoutError, StoredFile, StoredWorkspace
from pipeline.contract.object_client import Client
from pipeline.contract.object_names import object_key, object_name, shard_of, shard_of_path, table_file
from pipeline.contract.tables import Month, Published
from pipeline.storage import digests
from pipeline.storage.digests import EMPTY, Digest
from pipeline.storage.objects import handover
from pipeline.storage.objects.scratch import Scratch, scratch
from pipeline.storage.objects.snapshot import Snapshot, at_once
from pipeline.storage.store import TABLES, DamagedError, Operation, decoded
from pipeline.storage.tombstones import TOMBSTONES, Tombstones

_Value = TypeVar("_Value", bound=msgspec.Struct)

_STAGING: Final = "staging/"
_THREADS: Final = 8  # files that a piece of work puts or fetches at a time


class ObjectStore:
    """What is published as of one snapshot.

    Args:
        snapshot: of the root.
        scratch: for local copies and staged files.
        shared: whether all pieces of work of the command use the same scratch folder, so that none has to hand over
            files to another machine.
    """

    def __init__(self, snapshot: Snapshot, scratch: Scratch, *, shared: bool = True) -> None:
        self.snapshot, self._scratch, self._shared = snapshot, scratch, shared

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the shards behind that were read: another process reads those that it needs."""
        bare = Snapshot(self.snapshot.client, self.snapshot.root, self.snapshot.etag, self.snapshot.stored)
        return partial(ObjectStore, shared=self._shared), (bare, self._scratch)

    @property
    def client(self) -> Client:
        """Return what speaks to the store."""
        return self.snapshot.client

    def latest(self) -> "ObjectStore":
        """Return the store as of the root that is current now; itself if that is still the same."""
        snapshot = self.snapshot.latest()
        return self if snapshot is self.snapshot else ObjectStore(snapshot, self._scratch, shared=self._shared)

    @contextmanager
    def moved(self, parent: Path | None) -> Iterator["ObjectStore"]:
        """Yield the same store with a scratch folder of this machine, which is removed at the end."""
        with scratch(self.client, parent) as local:
            yield ObjectStore(self.snapshot, local, shared=False)

    # Published files

    def exists(self, uri: str) -> bool:
        """Return whether a file is published."""
        return self.snapshot.file(uri) is not None

    def size(self, uri: str) -> int:
        """Return the size of a published file in bytes.

        Raises:
            FileNotFoundError: it is not published.
        """
        return self._known(uri).size

    def address(self, uri: str) -> str:
        """Return the URL of the object of a published file, e.g. `s3://bucket/prefix/…`."""
        return f"{self.client.location.url}/{object_key(uri, self._known(uri).name)}"

    def read(self, uri: str) -> bytes | None:
        """Return the content of a small published file, or None if there is none.

        Raises:
            DamagedError: it is not as it was written.
        """
        file = self.snapshot.file(uri)
        try:
            return None if file is None else self.client.read(object_key(uri, file.name), file)
        except LayoutError as error:
            raise DamagedError(uri, error.cause) from None

    def load(self, uri: str, kind: type[_Value], digest: Digest | None = None) -> _Value | None:
        """Decode a small JSON file that is published; the arguments are those of `Store.load`."""
        return decoded(uri, self.read(uri), kind, digest)

    def local(self, uri: str) -> Path:
        """Return the path of a copy of a published file, or of what a piece of work staged.

        Raises:
            FileNotFoundError: there is no such file.
            DamagedError: it is not as it was written.
        """
        if uri.startswith(_STAGING):
            return self.scratch(uri) if self._shared else handover.fetch(self.client, self._scratch, uri)
        file = self._known(uri)
        try:
            return self._scratch.fetch(object_key(uri, file.name), file)
        except LayoutError as error:
            raise DamagedError(uri, error.cause) from None

    @contextmanager
    def copies(self, uris: Iterable[str]) -> Iterator[None]:
        """Fetch some files, several at a time, and remove the copies at the end: all of them may need too much room."""
        wanted = {uri: object_key(uri, file.name) for uri in uris if (file := self.snapshot.file(uri))}

        def fetch(uri: str) -> None:
            with suppress(DamagedError):
                self.local(uri)

        try:
            at_once(fetch, wanted)
            yield
        finally:
            for key in wanted.values():
                self._scratch.path(key).unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """Return the published files below a folder, sorted.

        Args:
            folder: the folder of a table, or one in it, such as `events/` or `runs/`.
        """
        found = (path for shard in self._shards(folder) for path, _ in shard.files())
        return sorted(path for path in found if path.startswith(folder))

    def partitions(self, folder: str) -> list[str]:
        """Return the values by which a folder of a table is divided, sorted."""
        place = folder.count("/")
        return sorted({name.split("/")[place].partition("=")[2] for name in self.names(folder)})

    def refuse_damage(self, uri: str, digest: Digest | None) -> None:
        """Compare a published file with its digest.

        Raises:
            DamagedError: they differ, or the file cannot be read.
        """
        if digest is None:
            return
        try:
            if digests.of_file(self.local(uri)) != digest:
                raise DamagedError(uri, digests.WHY)
        except FileNotFoundError:
            raise DamagedError(uri, "it does not exist") from None

    def digests(self, uris: Collection[str]) -> dict[str, Digest]:
        """Return the digests of published files by path; all are known."""
        self.snapshot.load(index=map(shard_of_path, uris))
        files = ((uri, self.snapshot.file(uri)) for uri in uris)
        return {uri: Digest(file.size, file.checksum) for uri, file in files if file is not None}

    def workspaces(self) -> list[str]:
        """Return the workspaces that have months, sorted."""
        found = (item for shard in self._shards("") for item in shard.workspaces.items())
        return sorted(name for name, workspace in found if workspace.cube or workspace.actors)

    def months(self, workspace_ids: Iterable[str]) -> dict[str, dict[str, Month]]:
        """Return the current files of some workspaces by UTC month `YYYY-MM`; workspaces without any are left out."""
        wanted = sorted(workspace_ids)
        self.snapshot.load(index=map(shard_of, wanted))
        found = {}
        for name in wanted:
            months = _months(name, self.snapshot.index(shard_of(name)).workspaces.get(name, StoredWorkspace()))
            if months:
                found[name] = months
        return found

    def published(self) -> Published | None:
        """Return what the last successful run published; None before the first."""
        return self.snapshot.root

    def tombstones(self, digest: Digest = EMPTY) -> Tombstones:
        """Return all tombstones.

        Args:
            digest: of the bytes with which their file must begin.

        Raises:
            TombstonesError: they are not as they were written.
        """
        return Tombstones.parse(self.read(TOMBSTONES) or b"", digest)

    # Staged files

    def scratch(self, uri: str) -> Path:
        """Return the path at which a file is staged."""
        return self._scratch.path(uri)

    def folder(self, uri: str) -> Path:
        """Return the path of a folder for staged files, which is created where it is absent."""
        path = self._scratch.path(uri)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def stage(self, staged: str, final: str, content: bytes) -> Operation:
        """Write a small file to `staged`, and return the operation that publishes it as `final`."""
        self.folder(staged.rpartition("/")[0])
        self.scratch(staged).write_bytes(content)
        return self.staged(staged, final, EMPTY.followed_by(content))

    def staged(self, staged: str, final: str, digest: Digest | None = None) -> Operation:
        """Return the operation that publishes a file already written to `staged`.

        Args:
            staged: the file.
            final: the path under which it is published.
            digest: of the bytes that were written; None if they have to be read for that.

        Raises:
            FileNotFoundError: there is no file at `staged`.
        """
        known = digests.of_file(self.scratch(staged)) if digest is None else digest
        return Operation("replace", final, staged, known.size, known.checksum)

    def hand_over(self, uris: list[str]) -> list[str]:
        """Put staged files where other machines find them, unless all pieces share the scratch folder."""
        return uris if self._shared else handover.hand_over(self.client, self._scratch, uris)

    def gather(self, uris: list[str]) -> None:
        """Fetch what other pieces of work handed over, several files at a time."""
        if not self._shared:
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(self.local, uris))

    def deliver(self, operations: list[Operation]) -> list[Operation]:
        """Put the files that a piece of work staged, each under a name that nobody else uses.

        Returns:
            The operations that a commit carries out, in the same order: `staged` is the last part of an object's key.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(self._delivered, operations))

    def make_folders(self, operations: list[Operation]) -> None:
        """Do nothing: objects need no folders."""

    def clear(self, folder: str) -> None:
        """Remove a folder of staged files and everything in it, and what was handed over of them."""
        shutil.rmtree(self._scratch.path(folder), ignore_errors=True)
        if not self._shared:
            self.client.delete(found.key for found in self.client.list(folder))

    def _delivered(self, operation: Operation) -> Operation:
        if operation.kind != "replace":
            return operation
        _, run, attempt, *_ = operation.staged.split("/")
        path, name = self.scratch(operation.staged), object_name(operation.final, run, attempt)
        digest = operation.digest or digests.of_file(path)
        stored = StoredFile(name, digest.size, digest.checksum)
        self.client.create(object_key(operation.final, name), path, stored)
        path.unlink()
        return Operation("replace", operation.final, name, digest.size, digest.checksum)

    def _known(self, uri: str) -> StoredFile:
        file = self.snapshot.file(uri)
        if file is None:
            raise FileNotFoundError(uri)
        return file

    def _shards(self, folder: str) -> list[IndexShard]:
        """Return the shards of the index that may have files below a folder."""
        root = self.snapshot.root
        if root is None:
            return []
        parts = folder.split("/")
        of_workspace = parts[0] in TABLES and len(parts) > 2  # noqa: PLR2004 - such as `events/workspace_id=W/`
        wanted = {shard_of(parts[1].partition("=")[2])} if of_workspace else set(root.index)
        self.snapshot.load(index=wanted)
        return [self.snapshot.index(shard) for shard in sorted(wanted)]


def _months(workspace_id: str, workspace: StoredWorkspace) -> dict[str, Month]:
    """Return the logical paths of a workspace's months."""
    found: dict[str, dict[str, str]] = {}
    for path, _ in workspace.files(workspace_id):
        table = table_file(path)
        if table is not None and table.table != "events":
            found.setdefault(table.partition, {})[table.table] = path
    return {month: Month(**files) for month, files in sorted(found.items())}
