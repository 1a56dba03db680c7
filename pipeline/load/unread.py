"""Which raw files are unread: those that could not be read to their end, and folders that could not be listed.

An unread file holds `data_as_of` and is reported by every run until it is mended, removed or accepted. Reads the status
of files; writes nothing. `storage/unread` keeps what this module decides.

    AcceptError  a file that is to be accepted is not unread
"""

import os
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pipeline.contract.text import printable
from pipeline.load.discovery import Part, is_as_read
from pipeline.load.listing import Listing
from pipeline.load.raw_names import escape, is_inside
from pipeline.load.raw_source import RawSource
from pipeline.load.results import FileError, PartResult
from pipeline.storage.state import Entry
from pipeline.storage.unread import Unread


class AcceptError(ValueError):
    """Raised when a file that is to be accepted is not unread."""


class UnreadFiles:
    """The unread files, as a run finds and changes them.

    Args:
        entries: the ledger.
        stored: what the state remembers.
        found: what was listed.
        everything: whether that is all of `raw/`.
    """

    def __init__(
        self, entries: Mapping[str, Entry], stored: Mapping[str, Unread], found: Listing, *, everything: bool
    ) -> None:
        self._stored = stored
        known = {
            path: Unread(path, entry.error, entry.inode, entry.size, entry.mtime_ns)
            for path, entry in entries.items()
            if entry.error and is_inside(path)
        } | dict(stored)
        self._listed = found.names() if everything else set(known)
        again = {
            file.name
            for file in found.files
            if file.name in stored and (entry := entries.get(file.name)) and not entry.error and is_as_read(file, entry)
        }  # back as they were read, after something else took their place
        self._files = {
            path: unread
            for path, unread in known.items()
            # An accepted file that is away for a while, as when a mount is lost, stays accepted.
            if (unread.accepted or path in self._listed) and path not in again
        }
        self._now: set[str] = set()  # those that failed in this run
        self._elsewhere: dict[str, Unread] = {}  # outside raw/: they hold back nothing; only this run reports them
        for failure in found.failures:
            self._fail(failure)

    @property
    def files(self) -> Mapping[str, Unread]:
        """Return all of them by path, accepted ones too."""
        return self._files

    @property
    def changes(self) -> Mapping[str, Unread] | None:
        """Return what the state has to remember; None if it does already."""
        return None if self._files == self._stored else self._files

    def update(self, parts: Sequence[Part], read: Iterable[PartResult]) -> None:
        """Take in the results of some parts: files that were read to their end, and files that were not."""
        for result in read:
            name, entry, listed = result.source_file, result.entry, parts[result.number].listed
            if result.error is None:
                self._files.pop(name, None)
            elif entry is not None:
                self._fail(Unread(name, result.error, entry.inode, entry.size, entry.mtime_ns))
            elif listed is not None:
                self._fail(Unread(name, result.error, listed.inode, listed.size, listed.mtime_ns, listed.ctime_ns))

    def _fail(self, failure: Unread) -> None:
        """Add a file that failed; it stays accepted if it has not changed since."""
        if not is_inside(failure.path):
            self._elsewhere[failure.path] = failure
            return
        self._now.add(failure.path)
        before = self._files.get(failure.path)
        accepted = before is not None and before.accepted and before.is_unchanged(failure)
        self._files[failure.path] = msgspec.structs.replace(failure, accepted=accepted)

    def waiting(self) -> list[FileError]:
        """Return the files that hold `data_as_of`, by name."""
        return _errors(unread for unread in self._files.values() if not unread.accepted)

    def accepted(self) -> list[FileError]:
        """Return the accepted files that are there, by name."""
        return _errors(unread for unread in self._files.values() if unread.accepted and unread.path in self._listed)

    def reported(self, raw: RawSource) -> list[FileError]:
        """Return what the run reports: files that wait, if they still exist or failed now, and those elsewhere."""
        waiting = [
            failure for failure in self.waiting() if failure.file in self._now or raw.state(failure.file) is not None
        ]
        return waiting + _errors(self._elsewhere.values())

    def accept(self, raw: RawSource, names: Iterable[str]) -> None:
        """Accept some files as they are now, each named as it is printed, or as it is on disk.

        Raises:
            AcceptError: one of them is not waiting; then none is accepted.
        """
        for path in [self._waiting_as(name) for name in names]:
            inode, size, mtime_ns = raw.state(path) or (0, 0, 0)
            # The time of the failure stays: if the file has changed since, it is read before it is accepted.
            self._files[path] = msgspec.structs.replace(
                self._files[path], inode=inode, size=size, mtime_ns=mtime_ns, accepted=True
            )

    def _waiting_as(self, name: str) -> str:
        waiting = [failure.file for failure in self.waiting()]
        for path in (name, *(path for path in waiting if printable(path) == name), escape(os.fsencode(name))):
            if path in waiting:
                return path
        raise AcceptError(f"{printable(name)} is not waiting to be accepted; `usage status` lists the unread files")


def _errors(unread: Iterable[Unread]) -> list[FileError]:
    return [FileError(failure.path, failure.error) for failure in sorted(unread, key=lambda failure: failure.path)]
