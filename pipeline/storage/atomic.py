"""Small files, replaced or appended to durably.

Writes the file that it is given. A replacement is first written beside it, as `.<name>.<process id>.tmp`, which runs
and readers ignore, and renamed when it is complete: readers find the old content or the new, even after a crash.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

_ANYBODY: Final = 0o666  # minus the umask


@contextmanager
def replacing(path: Path, mode: int = _ANYBODY) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` when the block ends; after an error, `path` is as it was.

    Args:
        path: in a folder that exists.
        mode: the permissions of the new file.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(unfinished, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(path.parent)


def append(path: Path, content: bytes) -> None:
    """Add bytes to the end of a file, which is created if it does not exist.

    Raises:
        OSError: it cannot be written.
    """
    is_new = not path.exists()
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
