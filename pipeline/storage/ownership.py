"""Who may read what is written into a data folder: its owner and its group, whoever runs the command.

Files get the mode 0640 and folders 0750, whatever the umask of the process is. They belong to the owner and the group
of the data folder: if root runs a command, the others must still be able to read and replace what it wrote. Creates
folders and empty files.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_UMASK: Final = 0o027
_FILE_MODE: Final = 0o640
_UNCHANGED: Final = -1  # in place of a user's or group's id: keep what the file has


@contextmanager
def writing() -> Iterator[None]:
    """Give these modes to all new files and folders, including those that libraries and new processes create."""
    before = os.umask(_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def give(path: Path | int, root: Path) -> None:
    """Give a new file or folder to the owner and the group of the data folder, as far as this process may.

    Args:
        path: or the descriptor of an open file.
        root: the data folder.
    """
    user, group = _owner(root)
    if user == group == _UNCHANGED:
        return
    with suppress(PermissionError):  # root without its rights, as in some containers
        if isinstance(path, int):
            os.fchown(path, user, group)
        else:
            os.chown(path, user, group, follow_symlinks=False)


def make_folder(folder: Path, root: Path) -> None:
    """Create a folder of the data folder, and those above it, where they are absent.

    Args:
        folder: the data folder or one in it.
        root: the data folder.

    Raises:
        OSError: it cannot be created.
    """
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    except FileNotFoundError:
        if folder == root:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            make_folder(folder.parent, root)
            make_folder(folder, root)
        return
    give(folder, root)


def make_file(path: Path, root: Path) -> None:
    """Create an empty file in the data folder if there is none, for libraries that open an existing file as it is.

    Raises:
        OSError: it cannot be created.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _FILE_MODE)
    except FileExistsError:
        return
    try:
        give(descriptor, root)
    finally:
        os.close(descriptor)


def _owner(root: Path) -> tuple[int, int]:
    """Return a new file's user and group; `_UNCHANGED` for an id that it already has or may not be given."""
    status, user, group = root.stat(), os.geteuid(), os.getegid()
    wanted_user = status.st_uid if user == 0 != status.st_uid else _UNCHANGED
    may = user == 0 or status.st_gid in os.getgroups()
    return wanted_user, status.st_gid if may and status.st_gid != group else _UNCHANGED
