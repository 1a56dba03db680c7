"""Tell a damaged file from a process that lacks the memory or the descriptors to read it.

A damaged file is reported with the advice to rebuild, or its commit is discarded. A shortage says nothing about the
file, so the command has to fail instead.
"""

import errno
from typing import Final

import pyarrow as pa

# Raised where a file is read that may be damaged. ValueError: also a column name that is not UTF-8.
READING: Final = (OSError, ValueError, pa.ArrowException)

_SHORTAGES: Final = (errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN)


def refuse_shortage(error: Exception) -> None:
    """Raise an error of `READING` again if it says nothing about the file.

    Raises:
        MemoryError: there is too little memory.
        OSError: this process or the system has too many open files, or too little memory.
    """
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SHORTAGES):
        raise error
