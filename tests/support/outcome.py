"""A hash of a data folder that ignores what always differs: run ids, seconds of runs, and inodes of raw files.

Hundreds of ways to stop a run have few distinct outcomes, so most folders need no further checks.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from pipeline.storage import digests
from tests.support.data_folder import DataFolder

_RUN = re.compile(rb"\b01[0-9A-HJKMNP-TV-Z]{24}\b")
_SECONDS = re.compile(rb'"seconds":\{[^}]*\}')
_CHECKSUM = re.compile(r",(\d+|NULL)\);$")
_SIZE = re.compile(rb'("final":"runs/[^"]*","staged":"[^"]*","size":)\d+')  # the seconds have more digits or fewer
_STAGED = re.compile(rb',"checksum":\d+')  # of a file with a run id
_IDENTITY = re.compile(rb'"inode":(\d+),"size":(\d+),"mtime_ns":(\d+)')


def outcome_of(folder: DataFolder) -> bytes:
    """Return a hash of all files, of the state, and of which raw files the ledger knows unchanged."""
    content = b"\0".join(_parts(folder))
    # Numbered as they turn up, since ids of runs at one instant sort by chance.
    numbers = {name: b"run %d" % number for number, name in enumerate(dict.fromkeys(_RUN.findall(content)))}
    return hashlib.sha256(_RUN.sub(lambda found: numbers[found[0]], content)).digest()


def _parts(folder: DataFolder) -> Iterator[bytes]:
    raw = {}
    for path in sorted(folder.root.rglob("*")):
        name = path.relative_to(folder.root)
        if name.parts[0] == "raw":
            status = path.stat()
            raw[b"%d,%d,%d" % (status.st_ino, status.st_size, status.st_mtime_ns)] = str(name).encode()
        elif path.is_file() and name.parts[0] not in {"state.sqlite", "state.sqlite-wal", "state.sqlite-shm"}:
            # Rows between two steps come in any order.
            content = b"" if path.suffix == ".arrow" else path.read_bytes()
            if "runs" in name.parts:
                content = _SECONDS.sub(b"", content)
            yield b"%s %d" % (str(name).encode(), len(content))
            yield content
    yield from sorted(raw.values())
    with closing(sqlite3.connect(folder.root / "state.sqlite")) as database:
        for uri, digest in digests.read(database).items():
            path = folder.root / uri
            found = digests.of_file(path) if path.exists() else None
            yield b"digest of %s: %s" % (uri.encode(), b"agrees" if found == digest else b"differs")
        for line in database.iterdump():
            if line.startswith('INSERT INTO "digests"'):
                continue  # they contain run ids
            if line.startswith('INSERT INTO "files"'):
                line = _CHECKSUM.sub(");", line)  # noqa: PLW2901 - of an entry with inode and run id
            text = _STAGED.sub(b"", _SIZE.sub(rb"\1", line.encode()))
            yield _IDENTITY.sub(lambda found: raw.get(b",".join(found.groups()), b"size %s" % found[2]), text)
