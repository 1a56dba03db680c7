"""The store that is a data folder: publish, delete and sync the files of the tables, and read small ones.

A logical path is the path of a file in the folder. A table's file gets its final name only when a staged file is
renamed, so a reader never sees half a file.
"""

import errno
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from pipeline.contract.tables import PUBLISHED, Manifest, Month, Published, manifest_path
from pipeline.storage import digests, ownership
from pipeline.storage.digests import EMPTY, Digest, DigestReader
from pipeline.storage.store import TABLES, DamagedError, Operation, Store, decoded
from pipeline.storage.syncs import sync_file_system
from pipeline.storage.tombstones import Tombstones

_Value = TypeVar("_Value", bound=msgspec.Struct)

_NOT_EMPTY: Final = (errno.ENOTEMPTY, errno.EEXIST)
_UNPARTITIONED: Final = ("manifests", "quarantine", "runs")
_PARTITIONED_DEPTH: Final = 3  # folders above the files of a partitioned table


class FolderStore(msgspec.Struct, frozen=True):
    """The data folder.

    Attributes:
        root: its path.
        descriptor: of the open folder; None: whoever syncs opens it only then.
        recorded: looks up the digests of published files; None: they are unknown.
    """

    root: Path
    descriptor: int | None = None
    recorded: DigestReader | None = None

    @classmethod
    @contextmanager
    def opened(cls, root: Path) -> Iterator["FolderStore"]:
        """Yield the data folder whose syncs report every failure from now on.

        Raises:
            OSError: there is no such folder.
        """
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield cls(root, descriptor)
        finally:
            os.close(descriptor)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the descriptor behind: in a worker process, which never syncs, it would be another file's."""
        return FolderStore, (self.root, None, self.recorded)

    def path(self, uri: str) -> Path:
        """Return the path of a file on disk, for libraries that read or write files themselves."""
        return self.root / uri

    def local(self, uri: str) -> Path:
        """Return the path of a file on this machine that is published, or that another piece of work staged."""
        return self.path(uri)

    def scratch(self, uri: str) -> Path:
        """Return the path at which a file is staged."""
        return self.path(uri)

    def hand_over(self, uris: list[str]) -> list[str]:
        """Return the names as they are: on a folder, other pieces of work find what was staged."""
        return uris

    def gather(self, uris: list[str]) -> None:
        """Do nothing: the files are at hand."""

    def deliver(self, operations: list[Operation]) -> list[Operation]:
        """Return the operations as they are: on a folder, a commit finds what was staged."""
        return operations

    def moved(self, parent: Path | None) -> AbstractContextManager[Store]:
        """Raise a ValueError: another machine cannot see this folder."""
        raise ValueError(f"{self.root} is a folder of one machine, and cannot be opened on {parent or 'another one'}")

    def copies(self, _: Iterable[str]) -> AbstractContextManager[None]:
        """Make none: the files are on this machine."""
        return nullcontext()

    def latest(self) -> "FolderStore":
        """Return the store itself, which is always as of now."""
        return self

    def exists(self, uri: str) -> bool:
        """Return whether a file exists."""
        return self.path(uri).exists()

    def size(self, uri: str) -> int:
        """Return the size of a file in bytes.

        Raises:
            FileNotFoundError: it does not exist.
        """
        return self.path(uri).stat().st_size

    def address(self, uri: str) -> str:
        """Return the path of a file."""
        return str(self.path(uri))

    def read(self, uri: str) -> bytes | None:
        """Return the content of a small file, or None if it does not exist."""
        try:
            return self.path(uri).read_bytes()
        except FileNotFoundError:
            return None

    def load(self, uri: str, kind: type[_Value], digest: Digest | None = None) -> _Value | None:
        """Decode a small JSON file, or return None if it does not exist; arguments and errors are those of `Store`."""
        return decoded(uri, self.read(uri), kind, digest)

    def stage(self, staged: str, final: str, content: bytes) -> Operation:
        """Write a small file to `staged`, and return the operation that publishes it as `final`."""
        path = self.path(staged)
        ownership.make_folder(path.parent, self.root)
        path.write_bytes(content)
        return self.staged(staged, final, EMPTY.followed_by(content))

    def staged(self, staged: str, final: str, digest: Digest | None = None) -> Operation:
        """Return the operation that publishes a file already written to `staged`, of which `digest` may be known.

        Raises:
            FileNotFoundError: there is no file at `staged`.
        """
        path = self.path(staged)
        ownership.give(path, self.root)
        if digest is None:
            return Operation("replace", final, staged, path.stat().st_size)
        return Operation("replace", final, staged, digest.size, digest.checksum)

    def names(self, folder: str) -> list[str]:
        """Return what is in the places of published files below a folder, sorted, without dot files.

        Args:
            folder: the folder of a table, or one in it, such as `events/` or `runs/`.
        """
        found = [folder]
        # Files of a partitioned table have the path `table/workspace/day or month/file`, all others `folder/file`.
        depth = _PARTITIONED_DEPTH if folder.split("/", maxsplit=1)[0] in TABLES else 1
        for _ in range(folder.count("/"), depth):
            found = [f"{above}{name}/" for above in found for name in self._children(above)]
        return sorted(f"{above}{name}" for above in found for name in self._children(above) if name[0] != ".")

    def partitions(self, folder: str) -> list[str]:
        """Return the values in the names of a folder's partitions, sorted, also of those without files."""
        keys = ("workspace_id=",) if folder.count("/") == 1 else ("day=", "month=")
        return sorted(name.partition("=")[2] for name in self._children(folder) if name.startswith(keys))

    def _children(self, folder: str) -> list[str]:
        """Return the names in a folder; none if there is no such folder, or if it must not be read."""
        try:
            return os.listdir(f"{self.root}/{folder}")  # noqa: PTH208 - names alone; paths take ten times as long
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []

    def changed_since(self, instant: int) -> bool:
        """Return whether a file of the tables was published or deleted since an instant, in nanoseconds since 1970."""
        pending = [path for name in (*TABLES, *_UNPARTITIONED) if (path := self.path(name)).exists()]
        while pending:
            folder = pending.pop()
            try:
                if folder.stat().st_mtime_ns >= instant:
                    return True
                pending += folder.glob("*=*")  # of workspaces and partitions
            except FileNotFoundError:
                return True
        return False

    def digests(self, uris: Collection[str]) -> dict[str, Digest]:
        """Return the digests of files by path; those that are unknown are left out.

        Raises:
            sqlite3.Error: the state cannot be read.
        """
        return {} if self.recorded is None else self.recorded.of(uris)

    def workspaces(self) -> list[str]:
        """Return the workspaces that have a manifest, sorted."""
        return sorted(name.removesuffix(".json") for name in self._children("manifests/") if name.endswith(".json"))

    def months(self, workspace_ids: Iterable[str]) -> dict[str, dict[str, Month]]:
        """Return the months that the manifests of some workspaces name; workspaces without a manifest are left out.

        Raises:
            DamagedError: a manifest cannot be read, is not as it was written, or belongs to another workspace.
        """
        uris = {workspace_id: manifest_path(workspace_id) for workspace_id in sorted(workspace_ids)}
        known = self.digests(uris.values())
        found = {}
        for workspace_id, uri in uris.items():
            manifest = self.load(uri, Manifest, known.get(uri))
            if manifest is None:
                continue
            if manifest.workspace_id != workspace_id:
                raise DamagedError(uri, f"it belongs to workspace {manifest.workspace_id}")
            found[workspace_id] = manifest.months
        return found

    def published(self) -> Published | None:
        """Return the content of `published.json`, or None if there is none; the error is that of `Store`."""
        return self.load(PUBLISHED, Published, self.digests([PUBLISHED]).get(PUBLISHED))

    def tombstones(self, digest: Digest = EMPTY) -> Tombstones:
        """Return all tombstones; the argument and the error are those of `Store`."""
        return Tombstones.read(self.root, digest)

    def refuse_damage(self, uri: str, digest: Digest | None) -> None:
        """Compare a file that exists with its digest, if that is known.

        Raises:
            DamagedError: they differ, or the file cannot be read.
        """
        if digest is None:
            return
        try:
            if digests.of_file(self.path(uri)) != digest:
                raise DamagedError(uri, digests.WHY)
        except OSError as error:
            raise DamagedError(uri, error.strerror or str(error)) from None

    def folder(self, uri: str) -> Path:
        """Return the path of a folder on disk, which is created where it is absent."""
        path = self.path(uri)
        ownership.make_folder(path, self.root)
        return path

    def make_folders(self, operations: list[Operation]) -> None:
        """Create the folders of all files that the operations publish."""
        folders = {self.path(operation.final).parent for operation in operations if operation.kind == "replace"}
        for folder in sorted(folders):  # unsorted, thousands of folders take about twice as long
            ownership.make_folder(folder, self.root)

    def apply(self, operation: Operation) -> None:
        """Carry out one operation. A delete or a sync can be repeated.

        Raises:
            FileNotFoundError: the staged file does not exist, for example because it is published already.
        """
        if operation.kind == "sync":
            self.sync()
        elif operation.kind == "delete":
            path = self.path(operation.final)
            path.unlink(missing_ok=True)
            self._prune(path.parent)
        else:
            self.path(operation.staged).replace(self.path(operation.final))

    def _prune(self, folder: Path) -> None:
        """Remove the empty folders of a partition: their names contain the ids of workspaces that may be forgotten."""
        while "=" in folder.name:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in _NOT_EMPTY:
                    raise
                return
            folder = folder.parent

    def sync(self) -> None:
        """Wait until everything written or renamed is on disk; one call costs less than one per file.

        Raises:
            OSError: something could not be brought to the disk; it must be written again.
        """
        if self.descriptor is not None:
            sync_file_system(self.descriptor, self.root)
            return
        with FolderStore.opened(self.root) as store:
            store.sync()

    def clear(self, folder: str) -> None:
        """Remove a staging folder and everything in it; a folder that does not exist is no error.

        Raises:
            OSError: it cannot be removed.
        """
        try:
            shutil.rmtree(self.path(folder))
        except OSError as error:
            if error.errno not in {errno.ENOENT, *_NOT_EMPTY}:
                raise
            # A worker that outlives its run for a moment still writes here; what it leaves, the next run removes.
            shutil.rmtree(self.path(folder), ignore_errors=True)
