"""Opens files that somebody else wrote, without ever waiting for them.

Reads the file that it is given. To open a named pipe waits until somebody writes into it, and a device may never end:
in the place of a file, either is an error, and so is a folder.

    NotAFileError  there is something else than a file
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

# A pipe that takes the place of the file between the look at it and this still does not block.
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
        NotAFileError: there is something else.
        OSError: it cannot be opened.
    """
    _refuse_others(path, os.stat(path))  # noqa: PTH116 - before it is opened, which does something to some devices
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


def one_line(text: str) -> str:
    """Return a text as logs and terminals can show it: invisible characters, as a file's name may have, as escapes."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _refuse_others(path: Path, status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise NotAFileError(errno.EINVAL, f"it is {_NAMES.get(kind, 'something else')}, not a file", str(path))


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
