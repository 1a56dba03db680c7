"""Opens files that somebody else wrote, without ever waiting for them.

Reads the file that it is given. Opening a named pipe blocks until somebody writes into it, and a device may never end;
so if either is found in place of a file, that is an error, and so is a folder.

    NotAFileError  something other than a file is there
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

# So even a pipe that takes the place of the file after it was checked does not block.
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

_NAMES: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class NotAFileError(OSError):
    """Raised where there is something else than a file: a named pipe, a folder, a device or a socket."""


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading; symbolic links are followed.

    Raises:
        FileNotFoundError: there is none.
        NotAFileError: something other than a file is there.
        OSError: it cannot be opened.
    """
    _refuse_others(path, os.stat(path))  # noqa: PTH116 - first, since opening affects some devices
    descriptor = os.open(path, _FLAGS)
    try:
        _refuse_others(path, os.fstat(descriptor))
        return open(descriptor, "rb")  # noqa: PTH123 - the caller closes it
    except BaseException:
        os.close(descriptor)
        raise


def why(error: OSError) -> str:
    """Return why a file cannot be read, without its name."""
    return error.strerror or str(error)


def _refuse_others(path: Path, status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise NotAFileError(errno.EINVAL, f"it is {_NAMES.get(kind, 'something else')}, not a file", str(path))
