"""Refresh `usage.duckdb` on a disk that a crash left.

It is no part of a commit: readers must find it whole, and the next run must make it current. The disks are written into
the folder in which the command was recorded, since the file contains its path.
"""

import os
from typing import Final

import duckdb

from pipeline.analysis import database
from tests.faults.crash_states.folders import write_disk
from tests.faults.crash_states.models import Disk
from tests.faults.crash_states.readers import WrongError
from tests.support.data_folder import DataFolder

_REFRESHES_MAX: Final = 50  # each takes half a second; the other disks are only looked at
_FILES: Final = ("usage.duckdb", ".usage.duckdb")


class Views:
    """Refreshes `usage.duckdb` on the disks of one scenario.

    Args:
        folder: in which the command was recorded, as it is after the command.
    """

    def __init__(self, folder: DataFolder) -> None:
        self._folder, self._seen = folder, set[bytes]()
        self._mtime = (folder.root / database.DATABASE).stat().st_mtime_ns
        self.count = 0

    def is_new(self, disk: Disk, *, ended: bool) -> bool:  # noqa: ARG002 - as that of `Recovery`
        """Return whether a refresh can tell a disk from all earlier ones."""
        return _key(disk) not in self._seen

    def recover(self, disk: Disk, *, ended: bool) -> None:
        """Raise an error unless a refresh makes the file current; do nothing if a disk is like an earlier one.

        Raises:
            WrongError: it does not, or the command had ended and left work.
        """
        root = self._folder.root
        key = _key(disk)
        if key in self._seen or self.count == _REFRESHES_MAX:
            return
        self._seen.add(key)
        self.count += 1
        write_disk(root, disk.files, disk.folders)
        if database.DATABASE in disk.files:
            os.utime(root / database.DATABASE, ns=(self._mtime, self._mtime))
            _query(self._folder)
        if ended and not database.is_current(root):
            raise WrongError("the command has ended, but `usage.duckdb` is not current")
        database.refresh(root)
        if not database.is_current(root):
            raise WrongError("`usage.duckdb` is not current")
        _query(self._folder)


def _key(disk: Disk) -> bytes:
    files = sorted(disk.files.items())
    return b"".join(path.encode() + file.digest for path, file in files if path.startswith(_FILES))


def _query(folder: DataFolder) -> None:
    try:
        with duckdb.connect(folder.root / database.DATABASE, read_only=True) as connection:
            connection.execute("select count(*) from events").fetchone()
    except duckdb.Error as error:
        raise WrongError(f"`usage.duckdb` cannot be read: {error}") from error
