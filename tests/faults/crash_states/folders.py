"""Write disks into a folder, in memory where that is possible."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.faults.crash_states.contents import Content
from tests.faults.crash_states.history import RAW

_MEMORY: Final = "/dev/shm"


def memory() -> str | None:
    """Return a folder in memory; None where there is none: then files go where temporary files go."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) else None


def write_disk(root: Path, files: Mapping[str, Content], folders: Iterable[str] = ()) -> None:
    """Make a data folder a copy of a disk. Its raw files stay what they are, so that they keep their inodes."""
    for path in root.iterdir():
        if path.is_dir() and path.name != RAW:
            shutil.rmtree(path)
        elif path.name != RAW:
            path.unlink()
    for name in sorted({*folders, *(path.rpartition("/")[0] for path in files)} - {""}):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        (root / name).write_bytes(file.data)
