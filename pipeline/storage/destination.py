"""Where the user wants rows or lines to go: a file that appears when it is complete, or a pipe or device.

Writes to the path that it is given; if that is a file, through a temporary one beside it (`storage.atomic`).
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pipeline.storage import atomic

# Names of what a process already has open: even if that is a file, creating and replacing it is up to the shell.
_OPEN: Final = re.compile(r"/dev/std(in|out|err)|/(dev|proc/(self|[0-9]+))/fd/[0-9]+").fullmatch


def is_stream(path: Path) -> bool:
    """Return whether a path is a pipe, a device or the like, which is written to and never replaced."""
    if _OPEN(str(path)):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open what a user named; a file, even behind a link, is replaced when the block ends without an error.

    Raises:
        OSError: it cannot be written.
    """
    if is_stream(path):
        with path.open("wb") as stream:
            yield stream
        return
    real = Path(os.path.realpath(path))
    try:
        with atomic.replacing(real) as file:
            yield file
    except OSError as error:
        if error.filename is None or Path(error.filename).parent != real.parent:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None  # not the name of the temporary file
