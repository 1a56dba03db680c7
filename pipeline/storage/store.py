"""All file operations of the tables: stage, replace, delete, list, read.

Paths are relative to the data folder and use `/`. A file appears under its final name only by a rename of a staged one,
so that a reader never sees half of it. An object store would be another implementation of this module's functions.
"""

import os
import shutil
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

_Value = TypeVar("_Value", bound=msgspec.Struct)


class DamagedError(RuntimeError):
    """Raised when a file of the tables cannot be understood."""

    def __init__(self, uri: str, cause: str) -> None:
        super().__init__(uri, cause)  # these alone, so that it can be pickled
        self.uri, self.cause = uri, cause

    def __str__(self) -> str:
        return f"{self.uri} is damaged: {self.cause}"


class Operation(msgspec.Struct, frozen=True):
    """One change of the tables: a staged file takes the place of `final`, or `final` goes.

    Or a sync: what was changed before it is on disk before what comes after it is begun.
    """

    kind: Literal["replace", "delete", "sync"]
    final: str = ""
    staged: str = ""
    size: int = 0


class Store(msgspec.Struct, frozen=True):
    """The data folder."""

    root: Path

    def path(self, uri: str) -> Path:
        """Return where a file lies, for libraries that read or write files themselves."""
        return self.root / uri

    def exists(self, uri: str) -> bool:
        """Return whether a file is there."""
        return self.path(uri).exists()

    def read(self, uri: str) -> bytes | None:
        """Return a small file's content; None where it is absent."""
        try:
            return self.path(uri).read_bytes()
        except FileNotFoundError:
            return None

    def load(self, uri: str, kind: type[_Value]) -> _Value | None:
        """Return what a small JSON file holds; None where it is absent.

        Raises:
            DamagedError: it holds something else.
        """
        content = self.read(uri)
        try:
            return None if content is None else msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise DamagedError(uri, str(error)) from None

    def stage(self, staged: str, final: str, content: bytes) -> Operation:
        """Write a small file beside the tables and return the operation that publishes it."""
        path = self.path(staged)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return self.staged(staged, final)

    def staged(self, staged: str, final: str) -> Operation:
        """Return the operation that publishes a file which was written to `staged`."""
        return Operation("replace", final, staged, self.path(staged).stat().st_size)

    def make_folders(self, operations: list[Operation]) -> None:
        """Create the folders that the replaced files go to."""
        folders = {self.path(operation.final).parent for operation in operations if operation.kind == "replace"}
        for folder in sorted(folders):  # in no order, thousands of folders take about twice as long
            folder.mkdir(parents=True, exist_ok=True)

    def apply(self, operation: Operation) -> None:
        """Carry out one operation; a second time does nothing.

        Raises:
            FileNotFoundError: the staged file is gone.
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
        """Remove a partition's folders where they are empty: their names tell of workspaces that may be forgotten."""
        while "=" in folder.name:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:  # not empty
                return
            folder = folder.parent

    def sync(self) -> None:
        """Wait until all that was written or renamed is on disk; one call costs less than one for each file."""
        os.sync()

    def clear(self, folder: str) -> None:
        """Remove a staging folder and what is in it."""
        shutil.rmtree(self.path(folder), ignore_errors=True)
