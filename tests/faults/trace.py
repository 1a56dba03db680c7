"""Read the trace of a command: the calls that changed its data folder, in their order.

Reads the file that `shim.c` writes. Paths are relative to the folder; an inode identifies a file through renames and
links, and a file that was unlinked while it was open has a path that ends with ` (deleted)`.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

_HEAD: Final = struct.Struct("=IIIIQQq")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `failed` is the errno that the call failed with; 0: it succeeded."""

    path: str
    inode: int
    failed: int = 0


class Create(Event, frozen=True, kw_only=True):
    """A new, empty file."""


class Write(Event, frozen=True, kw_only=True):
    """Bytes written to a file, which grows where they go beyond its end."""

    offset: int
    data: bytes


class Truncate(Event, frozen=True, kw_only=True):
    """A file is cut, or made longer with zeros."""

    size: int


class Allocate(Event, frozen=True, kw_only=True):
    """A file gets space up to a size, and zeros there if it was shorter."""

    size: int


class SyncFile(Event, frozen=True, kw_only=True):
    """A file, or the names in a folder, are on the disk; with `only_data` the times of a file may not be."""

    only_data: int


class SyncAll(Event, frozen=True, kw_only=True):
    """Everything is on the disk: `sync`, which has the path of the folder itself, or `syncfs`."""


class Rename(Event, frozen=True, kw_only=True):
    """A file or folder gets another name and replaces what had it; a path outside the folder is absolute."""

    to: str


class Link(Event, frozen=True, kw_only=True):
    """A file gets one more name."""

    to: str


class Symlink(Event, frozen=True, kw_only=True):
    """A symbolic link."""

    target: bytes


class Unlink(Event, frozen=True, kw_only=True):
    """A name of a file is gone."""


class MakeFolder(Event, frozen=True, kw_only=True):
    """A new folder."""


class RemoveFolder(Event, frozen=True, kw_only=True):
    """A folder is gone."""


class Meta(Event, frozen=True, kw_only=True):
    """The owner, mode or times of a file or folder have changed."""


class Map(Event, frozen=True, kw_only=True):
    """A file is mapped so that it can be changed; what is changed is unknown."""

    offset: int


class Stream(Event, frozen=True, kw_only=True):
    """A file is opened for writing by `fopen`; what is written is unknown."""


class Other(Event, frozen=True, kw_only=True):
    """A change that is not recorded in detail."""


# By the numbers of `shim.c`: the events, and the fields that they have besides, which come from the three in the trace.
_KINDS: Final[dict[int, tuple[type[Event], dict[str, str]]]] = {
    1: (Create, {}),
    2: (Write, {"offset": "number", "data": "data"}),
    3: (Truncate, {"size": "number"}),
    4: (Allocate, {"size": "number"}),
    5: (SyncFile, {"only_data": "number"}),
    6: (SyncAll, {}),
    7: (Rename, {"to": "second"}),
    8: (Link, {"to": "second"}),
    9: (Symlink, {"target": "data"}),
    10: (Unlink, {}),
    11: (MakeFolder, {}),
    12: (RemoveFolder, {}),
    13: (Meta, {}),
    14: (Map, {"offset": "number"}),
    15: (Stream, {}),
    16: (Other, {}),
}


def read_trace(path: Path, root: Path) -> list[Event]:
    """Return the events of a trace of the data folder `root`."""
    return list(_events(path.read_bytes(), os.fsencode(root)))


def _events(content: bytes, root: bytes) -> Iterator[Event]:
    place = 0
    while place < len(content):
        number, *sizes, failed, data_size, inode, offset = _HEAD.unpack_from(content, place)
        place += _HEAD.size
        parts = []
        for size in (*sizes, data_size):
            parts.append(content[place : place + size])
            place += size
        kind, fields = _KINDS[number]
        found = {"second": _relative(parts[1], root), "data": parts[2], "number": offset}
        more = {field: found[source] for field, source in fields.items()}
        yield kind(path=_relative(parts[0], root), inode=inode, failed=failed, **more)


def _relative(path: bytes, root: bytes) -> str:
    return "" if path == root else os.fsdecode(path.removeprefix(root + b"/"))
