"""Small files, replaced or appended to durably.

Writes the file that it is given. A replacement is first written beside it, as `.<name>.<process id>.tmp`, which runs
and readers ignore, and renamed when it is complete: readers find the old content or the new, even after a crash. An
addition is a replacement as well: a failure leaves no half of it, and the next attempt writes again what could not be
synced.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.storage import ownership


@contextmanager
def replacing(path: Path, root: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` when the block ends; after an error, `path` is as it was.

    Args:
        path: in a folder that exists.
        root: the data folder whose owner the file gets; None if it is not in one.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            if root is not None:
                ownership.give(file.fileno(), root)
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(path.parent)


def append(path: Path, content: bytes, root: Path) -> None:
    """Add bytes to the end of a small file of a data folder, which is created where it is absent.

    The caller keeps others from adding to it at the same time.

    Raises:
        OSError: it cannot be read or written.
    """
    before = path.read_bytes() if path.exists() else b""
    with replacing(path, root) as file:
        file.write(before + content)


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
