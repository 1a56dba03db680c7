"""The file, pipe or device that an option names to write to."""

import os
import sys
from pathlib import Path

from pipeline.commands.options import refuse
from pipeline.storage import destination


def is_stdout(path: Path) -> bool:
    """Return whether a path is what stdout writes to already, such as `/dev/stdout`."""
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # ValueError: stdout has no descriptor
        return False


def check(path: Path, *, force: bool) -> None:
    """Exit 2 if a path must not be written to: it is a folder, or an existing file without `--force` being given."""
    if path.is_dir():
        refuse(f"{path} is a folder; name a file in it")
    if os.path.lexists(path) and path.exists() and not destination.is_stream(path) and not force:
        refuse(f"{path} exists; choose another name, or add --force to replace it")
