"""Names of raw files: which are read, and how the ledger, the quarantine and all messages write them.

Pure: reads and writes nothing. A name on disk may be any bytes. Where a name is written, it is text relative to `raw/`,
and no two files have the same text.
"""

import os
import re
from pathlib import Path
from typing import Final

SHOWN: Final = "*.jsonl or *.ndjson, plain, .gz or .zst"
FORM: Final = f"logs are JSON Lines, in files named {SHOWN}"

_RAW: Final = re.compile(rb"\.(?:jsonl|ndjson)(?:\.(gz|zst))?\Z", re.IGNORECASE)
_ESCAPED: Final = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def is_raw(name: bytes) -> bool:
    """Return whether a file of this name is read."""
    return _RAW.search(name) is not None


def packing(name: bytes) -> str:
    """Return how a raw file is compressed: `gz`, `zst`, or an empty text."""
    found = _RAW.search(name)
    return "" if found is None else (found[1] or b"").decode().lower()


def is_unfinished(name: bytes) -> bool:
    """Return whether a name says that its file is not complete yet."""
    return name[-4:].lower() == b".tmp"


def suffix(name: bytes) -> str:
    """Return what follows the last dot of a name; an empty text if it has no dot."""
    return escape(name.rpartition(b".")[2]) if b"." in name else ""


def is_odd(name: str) -> bool:
    """Return whether a person cannot see in a name, as `source_name` writes it, what it is on disk."""
    try:
        return not unescape(name).decode().isprintable()
    except UnicodeDecodeError:
        return True


def source_name(raw: bytes, path: bytes) -> str:
    """Return the name of a file below the folder `raw`; its whole path if it is elsewhere."""
    return escape(path.removeprefix(raw + b"/"))


def is_inside(name: str) -> bool:
    """Return whether the file of a name is below `raw/`."""
    return not name.startswith("/")


def path_of(raw: Path, name: str) -> Path:
    """Return the path of the file that has this name."""
    return raw / os.fsdecode(unescape(name))


def escape(name: bytes) -> str:
    r"""Return bytes as text: a backslash is doubled, and a byte that is no UTF-8 becomes `\xff`."""
    return name.replace(b"\\", b"\\\\").decode(errors="backslashreplace")


def unescape(name: str) -> bytes:
    """Return the bytes that `escape` has made a text of."""
    return _ESCAPED.sub(_unescaped, name.encode())


def _unescaped(found: re.Match[bytes]) -> bytes:
    return b"\\" if found[1] is None else bytes([int(found[1], 16)])
