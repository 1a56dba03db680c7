"""Where raw files come from: one interface, whether they are in a folder or on an object store.

Reads the folder `raw/`; `load/object_raw` has the same for objects.
"""

import os
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple, Protocol

from pipeline.contract.settings import RAW, SettingError, Settings
from pipeline.load import checksums, listing
from pipeline.load.discovery import Part
from pipeline.load.listing import Listing
from pipeline.load.raw_names import is_inside, path_of

REBUILDING: Final = "`usage run --rebuild` rebuilds it"


class Opened(NamedTuple):
    """A raw file that is open for reading, and what identifies it as it is now."""

    file: IO[bytes]
    inode: int
    size: int
    mtime_ns: int


class RawSource(Protocol):
    """The raw files. It goes to other processes with the pieces of work."""

    def require(self) -> None:
        """Check that the files can be listed.

        Raises:
            RawFolderError: there is no such place, or it must not be read.
        """

    def listed(self, paths: Collection[Path] = (), pause: Callable[[], None] = lambda: None) -> Listing:
        """Return the raw files in the order of their names.

        Args:
            paths: files or folders to look at instead of everything.
            pause: is called often; to stop the listing, it raises.

        Raises:
            RawFolderError: they cannot be listed.
            OSError: one of `paths` does not exist or cannot be accessed.
            PathError: one of `paths` is not a raw file, or named paths cannot be read here.
        """

    def named(self, names: Iterable[str]) -> Listing:
        """Return those of some files that exist, by the names that the ledger has for them."""

    def state(self, name: str) -> tuple[int, int, int] | None:
        """Return the inode, size and time of the last change (ns) of a file; 0 where unknown; None if it is gone."""

    def checksum(self, name: str, size: int) -> int:
        """Return the checksum of the first bytes of a file, by the name that the ledger has for it.

        Raises:
            OSError: it cannot be read.
        """

    def rereading(self, name: str) -> str:
        """Return, for people, what makes a run read a file again that has not changed."""

    def looked_at(self, part: Part) -> AbstractContextManager[IO[bytes]]:
        """Open the file of a part to read a few bytes in some places, which makes no copy.

        Raises:
            OSError: it cannot be opened, or is another one than was listed; also from the methods of the file.
        """

    def opened(self, part: Part, folder: Callable[[], Path], ends: int) -> AbstractContextManager[Opened]:
        """Open the file of a part.

        Args:
            part: of the file.
            folder: returns a folder for a copy, if one is needed; what is put there is removed at the end.
            ends: how many bytes are read at both ends of what is before the part, if that is a split.

        Raises:
            OSError: it cannot be opened, or is another one than was listed.
        """


class FolderRaw:
    """The folder `raw/`.

    Args:
        root: its absolute path.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def require(self) -> None:
        """Check that the folder can be listed.

        Raises:
            RawFolderError: it is missing, not a folder, or must not be read.
        """
        listing.require(self._root)

    def listed(self, paths: Collection[Path] = (), pause: Callable[[], None] = lambda: None) -> Listing:
        """Return the raw files in the order of their names, as `RawSource.listed` says."""
        return listing.listed(self._root, paths, pause)

    def named(self, names: Iterable[str]) -> Listing:
        """Return those of some files that exist."""
        paths = (path_of(self._root, name) for name in sorted(names))
        found = [path for path in paths if os.path.isfile(path)]  # noqa: PTH113 - False also where it is forbidden to look
        return listing.listed(self._root, found) if found else Listing()

    def state(self, name: str) -> tuple[int, int, int] | None:
        """Return the inode, size and time of the last change (ns) of a file; 0 where unknown; None if it is gone."""
        path = path_of(self._root, name)
        return listing.state_of(path)[:3] if os.path.lexists(path) else None

    def checksum(self, name: str, size: int) -> int:
        """Return the checksum of the first bytes of a file.

        Raises:
            OSError: it cannot be read.
        """
        with path_of(self._root, name).open("rb") as file:
            return checksums.of_beginning(file, size)

    def rereading(self, name: str) -> str:
        """Return, for people, what makes a run read a file again: one with a new time is read as a whole."""
        if not is_inside(name) or "\\" in name:  # elsewhere, or a name that cannot be shown as it is
            return REBUILDING
        return f"`touch {shlex.quote(f'{RAW}/{name}')}`, and the next run reads that file again"

    def looked_at(self, part: Part) -> AbstractContextManager[IO[bytes]]:
        """Open the file of a part.

        Raises:
            OSError: it cannot be opened.
        """
        return part.path.open("rb")

    @contextmanager
    def opened(self, part: Part, folder: Callable[[], Path], ends: int) -> Iterator[Opened]:  # noqa: ARG002 - no copy
        """Open the file of a part where it is.

        Raises:
            OSError: it cannot be opened.
        """
        with part.path.open("rb") as file:
            status = os.fstat(file.fileno())
            yield Opened(file, status.st_ino, status.st_size, status.st_mtime_ns)


def open_raw(settings: Settings) -> RawSource:
    """Return where the raw files are.

    Raises:
        SettingError: they lie on an object store, and the package for that is not installed.
    """
    if isinstance(settings.raw, Path):
        return FolderRaw(settings.raw.absolute())
    try:
        from pipeline.contract.object_client import Client  # noqa: PLC0415 - no folder needs it
        from pipeline.load.object_raw import ObjectRaw  # noqa: PLC0415 - likewise
    except ImportError:
        raise SettingError(f"{settings.raw.url} needs the package obstore: install workspace-usage[s3]") from None
    return ObjectRaw(Client(settings.raw))
