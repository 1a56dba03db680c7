"""Lists the raw files: `raw/` and all folders below it, or the paths that somebody named.

Reads folders and the status of files, but no content; writes nothing. Every folder is entered once, in the byte order
of names, and all real folders come before links to folders. So circular links do no harm, and adding a link changes no
file's name.

    RawFolderError  there is no `raw/`, or it cannot be listed
    PathError       a named path is not a raw file
"""

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from pipeline.load.raw_names import SHOWN, is_raw, is_unfinished, source_name, suffix
from pipeline.storage.unread import Unread

# What a link that leads to nothing fails with. It holds no raw files, unlike a folder that cannot be accessed.
_NOWHERE: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_SUFFIXES: Final = 5  # how many suffixes of ignored files are reported
_PAUSE_STEPS: Final = 1000  # folders and files from one point where the listing can be stopped to the next

_Directory = os.DirEntry[bytes]


class RawFolderError(RuntimeError):
    """Raised when `raw/` cannot be listed. It must not be taken for empty: a mount may be lost."""

    def __init__(self, raw: Path | str, cause: OSError | str) -> None:
        why = cause if isinstance(cause, str) else cause.strerror or str(cause)
        super().__init__(f"{raw} cannot be listed: {why}")


class PathError(ValueError):
    """Raised when a given path is not a raw file."""


class RawFile(msgspec.Struct, frozen=True):
    """A raw file as it was listed."""

    name: str  # relative to raw/, as the ledger and the quarantine name it
    path: bytes
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    etag: str = ""  # of an object; then `inode` is a hash of it


class Ignored(msgspec.Struct, frozen=True):
    """Files whose names are not those of raw files, and the most frequent suffixes among them."""

    count: int = 0
    suffixes: dict[str, int] = {}

    @property
    def described(self) -> str:
        """Return how many files there are and their most frequent suffixes: `3 files of other names: 2 csv, 1 txt`."""
        if not self.count:
            return "no files"
        suffixes = (f"{count:,} {suffix or 'without suffix'}" for suffix, count in self.suffixes.items())
        return f"{self.count:,} files of other names: {', '.join(suffixes)}"


class Listing(msgspec.Struct, frozen=True):
    """What there is to read."""

    files: list[RawFile] = []
    failures: list[Unread] = []  # what could not be listed, and what is not a regular file
    ignored: Ignored = Ignored()

    def names(self) -> set[str]:
        """Return the names of all files, those that failed too."""
        return {file.name for file in self.files} | {failure.path for failure in self.failures}


def require(raw: Path) -> None:
    """Check that `raw/` can be listed.

    Raises:
        RawFolderError: it is missing, not a folder, or must not be read.
    """
    try:
        os.scandir(raw).close()
    except OSError as error:
        raise RawFolderError(raw, error) from None


def listed(raw: Path, paths: Collection[Path] = (), pause: Callable[[], None] = lambda: None) -> Listing:
    """Return the raw files in the order of their names.

    Args:
        raw: the folder that is searched; dot files, folders with such a name, and `*.tmp` are passed over.
        paths: files or folders to look at instead.
        pause: is called often; to stop the listing, it raises.

    Raises:
        RawFolderError: `raw` cannot be listed.
        OSError: one of `paths` does not exist or cannot be accessed.
        PathError: one of `paths` is neither a folder nor named like a raw file.
    """
    walk = _Walk(os.fsencode(raw.absolute()), pause)
    if paths:
        for path in paths:
            walk.named(path)
    else:
        try:
            if not raw.samefile(raw.absolute().parent):  # else a link back makes its files raw
                walk.enter(raw.absolute().parent)
            walk.search(os.fsencode(raw.absolute()))
        except OSError as error:
            raise RawFolderError(raw, error) from None
    return walk.listing()


def state_of(path: bytes | Path) -> tuple[int, int, int, int]:
    """Return the inode, size, mtime and ctime (in ns) of a file, or of a link that leads nowhere; 0 if unknown."""
    for look in (os.stat, os.lstat):
        with suppress(OSError):
            status = look(path)
            return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return 0, 0, 0, 0


def frequent(suffixes: Counter[str]) -> dict[str, int]:
    """Return the most frequent suffixes, with how many files have each."""
    return dict(sorted(suffixes.items(), key=lambda found: (-found[1], found[0]))[:_SUFFIXES])


class _Walk:
    """The state of a listing."""

    def __init__(self, raw: bytes, pause: Callable[[], None]) -> None:
        self._raw, self._pause, self._steps = raw, pause, 0
        self._entered: set[tuple[int, int]] = set()  # (device, inode) of folders
        self._files: dict[str, RawFile] = {}
        self._failures: dict[str, Unread] = {}
        self._ignored: Counter[str] = Counter()

    def listing(self) -> Listing:
        """Return what was found."""
        return Listing(
            [self._files[name] for name in sorted(self._files)],
            [self._failures[name] for name in sorted(self._failures)],
            Ignored(self._ignored.total(), frequent(self._ignored)),
        )

    def named(self, path: Path) -> None:
        """Look at a path that somebody named.

        Raises:
            OSError: it cannot be accessed.
            PathError: it is not a raw file.
        """
        status = path.stat()
        whole = os.fsencode(path.absolute())
        if stat.S_ISDIR(status.st_mode):
            self.search(whole)
        elif is_raw(whole):
            self._add(whole, status)
        else:
            raise PathError(f"{path} is not a raw file: its name must end with {SHOWN}")

    def search(self, top: bytes) -> None:
        """Look at a folder and everything below it.

        Raises:
            OSError: the folder cannot be listed.
        """
        links = [top]
        while links:
            links.sort(reverse=True)
            folders = [links.pop()]
            while folders:
                folder = folders.pop()
                self._step()
                try:
                    if self.enter(folder):
                        folders += reversed(self._look(folder, links))
                except OSError as error:
                    if folder == top:
                        raise
                    self._lose(folder, error)

    def enter(self, folder: bytes | Path) -> bool:
        """Remember that a folder is entered; return whether this is the first time."""
        status = os.stat(folder)  # noqa: PTH116 - of bytes
        identity = (status.st_dev, status.st_ino)
        is_new = identity not in self._entered
        self._entered.add(identity)
        return is_new

    def _step(self) -> None:
        """Give the caller a chance to stop the listing, from time to time."""
        self._steps += 1
        if self._steps % _PAUSE_STEPS == 0:
            self._pause()

    def _look(self, folder: bytes, links: list[bytes]) -> list[bytes]:
        """Look at everything in a folder; return the folders in it, and add links to folders to `links`."""
        children: list[_Directory] = []
        with os.scandir(folder) as found:
            for child in found:
                children.append(child)
                self._step()
        children.sort(key=lambda child: child.name)
        folders: list[bytes] = []
        for child in children:
            self._step()
            if child.name.startswith(b"."):
                continue
            try:
                status = child.stat()
            except OSError as error:
                self._lose_child(child, error)
                continue
            if stat.S_ISDIR(status.st_mode):
                (links if child.is_symlink() else folders).append(child.path)
            elif is_raw(child.name):
                self._add(child.path, status)
            else:
                self._ignore(child.name)
        return folders

    def _add(self, path: bytes, status: os.stat_result) -> None:
        name = source_name(self._raw, path)
        if stat.S_ISREG(status.st_mode):
            self._files[name] = RawFile(
                name, path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
            )
        else:  # reading a pipe would wait for its writer
            self._fail(path, "it is not a regular file")

    def _ignore(self, name: bytes) -> None:
        if not is_unfinished(name):
            self._ignored[suffix(name)] += 1

    def _lose_child(self, child: _Directory, error: OSError) -> None:
        """Report a child without status if it may be a raw file, or a folder that holds some."""
        if is_raw(child.name) or not (error.errno in _NOWHERE or _is_plain(child)):
            self._lose(child.path, error)
        elif not _is_gone(child.path, error):
            self._ignore(child.name)

    def _lose(self, path: bytes, error: OSError) -> None:
        if not _is_gone(path, error):
            self._fail(path, error.strerror or str(error))

    def _fail(self, path: bytes, why: str) -> None:
        name = source_name(self._raw, path)
        self._failures[name] = Unread(name, why, *state_of(path))


def _is_gone(path: bytes, error: OSError) -> bool:
    """Return whether something was removed while it was listed."""
    return error.errno == errno.ENOENT and not os.path.lexists(path)


def _is_plain(child: _Directory) -> bool:
    """Return whether a child is an ordinary file, according to its folder; False if the folder does not say."""
    try:
        return child.is_file(follow_symlinks=False)
    except OSError:
        return False
