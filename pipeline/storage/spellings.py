"""Find the spellings of ids in texts: 8-4-4-4-12 or 32 hex digits, in any case, anywhere in a text.

Pure functions. Tombstones hold only the hashes of ids, so whatever may be an id has to be found before it is hashed.
"""

import re
from collections.abc import Callable
from typing import Final

# Also for RE2, which has no lookahead: it finds out whether there is a spelling, not which ones.
SPELLING: Final = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}"

# At every position, since an id may directly follow other hex digits.
_spellings: Final = re.compile(f"(?=({SPELLING}))")
_spellings_in_bytes: Final = re.compile(f"(?=({SPELLING}))".encode()).findall
_escapes: Final = re.compile(rb"\\u00([2-7][0-9a-f])", re.IGNORECASE)
_HYPHENS: Final = (8, 12, 16, 20)  # where they are missing among 32 hex digits
_WITHOUT_HYPHENS: Final = 32


def ids(text: str) -> set[str]:
    """Return whatever a text spells that may be an id, as ids are stored: 8-4-4-4-12 hex digits in lower case."""
    return {_stored(spelling) for spelling in set(_spellings.findall(text))}


def ids_in_line(line: bytes) -> set[str]:
    """Return whatever a line of any kind spells that may be an id, as ids are stored.

    JSON allows any character as a numeric escape. UTF-16 and UTF-32 differ from ASCII by zero bytes, on either side of
    a digit.
    """
    if b"\0" in line:
        line = line.replace(b"\0", b"")
    if b"\\u" in line:
        line = _escapes.sub(lambda match: bytes.fromhex(match[1].decode()), line)
    return {_stored(spelling.decode()) for spelling in set(_spellings_in_bytes(line))}


def replaced(text: str, is_wanted: Callable[[str], bool]) -> tuple[str, int]:
    """Return a text in which zeros take the place of some ids, in the form in which each is spelled, and how many.

    Args:
        text: any text.
        is_wanted: whether an id, in the form in which ids are stored, is replaced.
    """
    pieces, start, found = [], 0, 0
    for match in _spellings.finditer(text):
        spelling = match[1]
        if match.start() < start or not spelling.strip("0-") or not is_wanted(_stored(spelling)):
            continue
        pieces += [text[start : match.start()], re.sub("[^-]", "0", spelling)]
        start = match.end(1)
        found += 1
    return "".join([*pieces, text[start:]]), found


def _stored(spelling: str) -> str:
    text = spelling.lower()
    if len(text) != _WITHOUT_HYPHENS:
        return text
    return "-".join(text[start:stop] for start, stop in zip((0, *_HYPHENS), (*_HYPHENS, None), strict=True))
