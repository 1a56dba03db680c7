"""The raw files of the simulation as they are on disk: what the product and the model are both given."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.oracle.loading import unpack


class RawFile(NamedTuple):
    """A file of `raw/`; the content of a link that leads nowhere is None."""

    content: bytes | None
    identity: tuple[int, int, int]  # inode, size, mtime


Raw = Mapping[str, RawFile]


def scan(raw: Path) -> Raw:
    """Return the files of a flat `raw/`."""
    found = {}
    for path in sorted(raw.iterdir()):
        status = path.lstat() if not path.exists() else path.stat()
        content = path.read_bytes() if path.exists() else None
        found[path.name] = RawFile(content, (status.st_ino, status.st_size, status.st_mtime_ns))
    return found


def unpacked(name: str, content: bytes) -> tuple[bytes, bool]:
    """Return what can be unpacked of a file, and whether it breaks off before its end."""
    if name.endswith(".gz"):
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return stream.decompress(content), not stream.eof
    return unpack(name, content), False
