"""Find the spellings of ids in texts: 8-4-4-4-12 or 32 hex digits, in any case, anywhere in a text.

Pure functions. Tombstones hold only the hashes of ids, so whatever may be an id has to be found before it is hashed.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Final

# RE2, which has no lookahead, can use this too, to find out whether there is a spelling, but not which ones.
SPELLING: Final = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}"

# At every position, since an id may directly follow other hex digits.
_spellings: Final = re.compile(f"(?=({SPELLING}))")
_spellings_in_bytes: Final = re.compile(f"(?=({SPELLING}))".encode())
_escapes: Final = re.compile(rb"\\u00([2-7][0-9a-f])", re.IGNORECASE)
_WITHOUT_HYPHENS: Final = 32
# A text of hex digits has as many spellings as digits, and each takes a hundred times as much memory.
_AT_ONCE: Final = 10_000


def ids(texts: Iterable[str]) -> Iterator[str]:
    """Yield every possible id in some texts, in the form in which ids are stored: 8-4-4-4-12 lower-case hex digits.

    An id that is spelled several times is seldom yielded more than once.
    """
    spelled = (match[1] for match in chain.from_iterable(map(_spellings.finditer, texts)))
    while some := set(islice(spelled, _AT_ONCE)):
        yield from map(_stored, some)


def ids_in_line(line: bytes) -> Iterator[str]:
    """Yield every possible id in a line of any kind, in the form in which ids are stored.

    JSON allows any character as a numeric escape. UTF-16 and UTF-32 differ from ASCII by zero bytes, on either side of
    a digit.
    """
    if b"\0" in line:
        line = line.replace(b"\0", b"")
    if b"\\u" in line:
        line = _escapes.sub(lambda match: bytes.fromhex(match[1].decode()), line)
    spelled = (match[1] for match in _spellings_in_bytes.finditer(line))
    while some := set(islice(spelled, _AT_ONCE)):
        yield from (_stored(spelling.decode()) for spelling in some)


def replaced(text: str, is_wanted: Callable[[str], bool]) -> tuple[str, int]:
    """Return a text with zeros in place of some ids, hyphenated as each id was, and how many were replaced.

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
    if len(text) == _WITHOUT_HYPHENS:  # one expression: a blob of hex digits has as many spellings as digits
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return text
