"""What the steps of a command do with files: one interface, whatever keeps the files.

Paths are logical: relative to the data folder, with `/`. `storage.folder` has the store whose logical paths are those
of files in one folder. No step knows more about published files than this module says.
"""

from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar

import msgspec

from pipeline.contract.tables import Month, Published
from pipeline.storage.digests import EMPTY, WHY, Digest
from pipeline.storage.tombstones import Tombstones

_Value = TypeVar("_Value", bound=msgspec.Struct)

TABLES: Final = ("events", "cube", "actors")  # partitioned by workspace, and then by day or month


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


class Store(Protocol):
    """The published files, as they are when a command begins, and the files that the command stages.

    A store goes to other processes with the pieces of work.
    """

    # Published files

    def exists(self, uri: str) -> bool:
        """Return whether a file is published."""

    def size(self, uri: str) -> int:
        """Return the size of a published file in bytes.

        Raises:
            FileNotFoundError: it is not published.
        """

    def address(self, uri: str) -> str:
        """Return where other programs find a published file: its path, or a URL."""

    def read(self, uri: str) -> bytes | None:
        """Return the content of a small published file, or None if there is none."""

    def load(self, uri: str, kind: type[_Value], digest: Digest | None = None) -> _Value | None:
        """Decode a small JSON file that is published, or return None if there is none.

        Args:
            uri: the path of the file.
            kind: what it holds.
            digest: of the file when it was written; None if it is unknown.

        Raises:
            DamagedError: the content is not JSON of this type, or not what was written.
        """

    def local(self, uri: str) -> Path:
        """Return the path on this machine of a file that is published, or that another piece of work staged.

        For libraries that read files themselves.

        Raises:
            FileNotFoundError: there is no such file; where the path is that of the file itself, opening it raises that.
        """

    def copies(self, uris: Iterable[str]) -> AbstractContextManager[None]:
        """Keep local copies of some published files meanwhile, where they are needed; those at hand are removed then.

        What is wrong with a file is for `local` to say.
        """

    def latest(self) -> "Store":
        """Return the store as of now."""

    def names(self, folder: str) -> list[str]:
        """Return the published files below a folder, sorted, and foreign ones in their place.

        Args:
            folder: the folder of a table, or one in it, such as `events/` or `runs/`.
        """

    def partitions(self, folder: str) -> list[str]:
        """Return the values by which a folder of a table is divided, sorted.

        These are the workspaces in `events/`, and the days in `events/workspace_id=W/`, even if a folder is empty.
        """

    def refuse_damage(self, uri: str, digest: Digest | None) -> None:
        """Compare a published file with its digest, if that is known.

        Raises:
            DamagedError: they differ, or the file cannot be read.
        """

    def digests(self, uris: Collection[str]) -> dict[str, Digest]:
        """Return the digests of published files by path; those that are unknown are left out.

        They are known to a command that holds the lock, and to its pieces of work.
        """

    def workspaces(self) -> list[str]:
        """Return the workspaces that have months, sorted."""

    def months(self, workspace_ids: Iterable[str]) -> dict[str, dict[str, Month]]:
        """Return the current files of some workspaces by UTC month `YYYY-MM`; workspaces without any are left out.

        Raises:
            DamagedError: what says so cannot be read, or is not as it was written.
        """

    def published(self) -> Published | None:
        """Return what the last successful run published; None before the first.

        Raises:
            DamagedError: it cannot be read, or is not as it was written.
        """

    def tombstones(self, digest: Digest = EMPTY) -> Tombstones:
        """Return all tombstones.

        Args:
            digest: of the bytes with which their file must begin.

        Raises:
            TombstonesError: they are not as they were written: continuing would bring forgotten data back.
        """

    # Staged files

    def scratch(self, uri: str) -> Path:
        """Return the path at which a file is staged."""

    def folder(self, uri: str) -> Path:
        """Return the path of a folder for staged files, which is created where it is absent."""

    def stage(self, staged: str, final: str, content: bytes) -> Operation:
        """Write a small file to `staged`, and return the operation that publishes it as `final`."""

    def staged(self, staged: str, final: str, digest: Digest | None = None) -> Operation:
        """Return the operation that publishes a file already written to `staged`.

        Args:
            staged: the file.
            final: the path under which it is published.
            digest: of the bytes that were written; None if nobody will compare them.

        Raises:
            FileNotFoundError: there is no file at `staged`.
        """

    def hand_over(self, uris: list[str]) -> list[str]:
        """Let other pieces of work read files that this one staged; return the names by which they find them."""

    def gather(self, uris: list[str]) -> None:
        """Prepare to read files that other pieces of work handed over, all of which `local` will be asked for."""

    def deliver(self, operations: list[Operation]) -> list[Operation]:
        """Bring the files that a piece of work staged to where a commit can publish them.

        Returns:
            The operations that a commit carries out, in the same order.
        """

    def make_folders(self, operations: list[Operation]) -> None:
        """Prepare the places of all files that the operations publish."""

    def moved(self, parent: Path | None) -> AbstractContextManager["Store"]:
        """Open the same files on another machine, with a place for staged files of its own.

        Args:
            parent: the folder in which that place is made; that for temporary files if it is None.

        Raises:
            ValueError: another machine cannot see these files.
        """

    def clear(self, folder: str) -> None:
        """Remove a folder of staged files and everything in it; a folder that does not exist is no error.

        Raises:
            OSError: it cannot be removed.
        """


def decoded(uri: str, content: bytes | None, kind: type[_Value], digest: Digest | None) -> _Value | None:
    """Decode the content of a small JSON file; None stays None.

    Args:
        uri: the path of the file, for the error.
        content: its bytes.
        kind: what it holds.
        digest: of the file when it was written; None if it is unknown.

    Raises:
        DamagedError: the content is not JSON of this type, or not what was written.
    """
    if content is not None and digest is not None and EMPTY.followed_by(content) != digest:
        raise DamagedError(uri, WHY)
    try:
        return None if content is None else msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedError(uri, str(error)) from None
