"""Publish, delete and sync the files of the tables, and read small ones.

Paths are relative to the data folder and use `/`. Libraries such as pyarrow read and write larger files themselves,
through `Store.path`. A table's file gets its final name only when a staged file is renamed, so a reader never sees half
a file.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from pipeline.storage import digests, ownership
from pipeline.storage.digests import EMPTY, Digest
from pipeline.storage.syncs import sync_file_system

_Value = TypeVar("_Value", bound=msgspec.Struct)


_NOT_EMPTY: Final = (errno.ENOTEMPTY, errno.EEXIST)


class DamagedError(RuntimeError):
    """Raised when a file of the tables cannot be read or decoded."""

    def __init__(self, uri: str, cause: str) -> None:
        super().__init__(uri, cause)  # exactly the arguments of __init__: otherwise it cannot be unpickled
        self.uri, self.cause = uri, cause

    def __str__(self) -> str:
        return f"{self.uri} is damaged: {self.cause}"


class Operation(msgspec.Struct, frozen=True):
    """One step of a commit.

    Attributes:
        kind: `replace` moves the staged file to `final`, `delete` removes `final`, and `sync` waits until all earlier
            operations are on disk before the next one starts.
        final: the path of the published file; empty for `sync`.
        staged: the path of the staged file; only for `replace`.
        size: of the staged file, in bytes; only for `replace`.
        checksum: the CRC-32 of the staged file; None if it is unknown, or none is kept.
    """

    kind: Literal["replace", "delete", "sync"]
    final: str = ""
    staged: str = ""
    size: int = 0
    checksum: int | None = None

    @property
    def digest(self) -> Digest | None:
        """Return the digest of the staged file; None if it is unknown."""
        return None if self.checksum is None else Digest(self.size, self.checksum)


class Store(msgspec.Struct, frozen=True):
    """The data folder.

    Attributes:
        root: its path.
        descriptor: of the open folder; None: whoever syncs opens it only then.
    """

    root: Path
    descriptor: int | None = None

    @classmethod
    @contextmanager
    def opened(cls, root: Path) -> Iterator["Store"]:
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
        return Store, (self.root,)

    def path(self, uri: str) -> Path:
        """Return the path of a file on disk, for libraries that read or write files themselves."""
        return self.root / uri

    def local(self, uri: str) -> Path:
        """Return the path of a file on this machine that is published, or that another piece of work staged."""
        return self.path(uri)

    def scratch(self, uri: str) -> Path:
        """Return the path at which a file is staged."""
        return self.path(uri)

    def hand_over(self, uris: list[str]) -> None:
        """Let other pieces of work read files that this one staged; on a folder, they can already."""

    def deliver(self, operations: list[Operation]) -> list[Operation]:
        """Bring the files that a piece of work staged to where a commit can publish them; on a folder, they are there.

        Returns:
            The operations that a commit carries out, in the same order.
        """
        return operations

    def exists(self, uri: str) -> bool:
        """Return whether a file exists."""
        return self.path(uri).exists()

    def read(self, uri: str) -> bytes | None:
        """Return the content of a small file, or None if it does not exist."""
        try:
            return self.path(uri).read_bytes()
        except FileNotFoundError:
            return None

    def load(self, uri: str, kind: type[_Value], digest: Digest | None = None) -> _Value | None:
        """Decode a small JSON file, or return None if it does not exist.

        Args:
            uri: the path of the file.
            kind: what it holds.
            digest: of the file when it was written; None if it is unknown.

        Raises:
            DamagedError: the content is not JSON of this type, or not what was written.
        """
        content = self.read(uri)
        if content is not None and digest is not None and EMPTY.followed_by(content) != digest:
            raise DamagedError(uri, digests.WHY)
        try:
            return None if content is None else msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise DamagedError(uri, str(error)) from None

    def stage(self, staged: str, final: str, content: bytes) -> Operation:
        """Write a small file to `staged`, and return the operation that publishes it as `final`."""
        path = self.path(staged)
        ownership.make_folder(path.parent, self.root)
        path.write_bytes(content)
        return self.staged(staged, final, EMPTY.followed_by(content))

    def staged(self, staged: str, final: str, digest: Digest | None = None) -> Operation:
        """Return the operation that publishes a file already written to `staged`.

        Args:
            staged: the file.
            final: the path under which it is published.
            digest: of the bytes that were written; None if nobody will compare them.

        Raises:
            FileNotFoundError: there is no file at `staged`.
        """
        path = self.path(staged)
        ownership.give(path, self.root)
        if digest is None:
            return Operation("replace", final, staged, path.stat().st_size)
        return Operation("replace", final, staged, digest.size, digest.checksum)

    def refuse_damage(self, uri: str, digest: Digest | None) -> None:
        """Compare a file that exists with its digest, if that is known.

        Raises:
            DamagedError: they differ, or the file cannot be read.
        """
        if digest is None:
            return
        try:
            found = digests.of_file(self.path(uri))
        except OSError as error:
            raise DamagedError(uri, error.strerror or str(error)) from None
        if found != digest:
            raise DamagedError(uri, digests.WHY)

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
        with Store.opened(self.root) as store:
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
