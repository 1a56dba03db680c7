"""What a crash may leave of one file's content, given which of its changes the disk kept."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tests.faults.crash_states.history import Resize, Write

Change = Write | Resize
SECTORS: Final = (512, 4096)  # bytes that a disk writes whole


@dataclass(frozen=True)
class Content:
    """Bytes of a file, hashed once."""

    data: bytes

    @cached_property
    def digest(self) -> bytes:
        """Return a hash of the bytes."""
        return hashlib.blake2b(self.data, digest_size=16).digest()


@dataclass(frozen=True)
class Kept:
    """What the disk kept of a file's changes that were not synced.

    Attributes:
        whole: the places of the changes that were kept whole.
        torn: the places of the writes of which only some sectors were kept.
        size: of the file in the end, in bytes; None: what the kept changes give it.
        garbage: whether what was never written reads as something else than zeros.
        seed: chooses the sectors.
    """

    whole: frozenset[int] = frozenset()
    torn: frozenset[int] = frozenset()
    size: int | None = None
    garbage: bool = False
    seed: int = 0


def content(before: bytes, changes: Sequence[Change], kept: Kept) -> bytes:
    """Return the content of a file after those of its changes that the disk kept."""
    data = bytearray(before)
    for place, change in enumerate(changes):
        if place in kept.torn and isinstance(change, Write):
            _tear(data, change, kept)
        elif place in kept.whole and isinstance(change, Write):
            _write(data, change.offset, change.content, kept)
        elif place in kept.whole and isinstance(change, Resize):
            _resize(data, change.size, garbage=False)
    if kept.size is not None:
        _resize(data, kept.size, garbage=kept.garbage)
    return bytes(data)


def _tear(data: bytearray, write: Write, kept: Kept) -> None:
    """Write some sectors of a change: the first ones, or any."""
    rng = random.Random(f"{kept.seed} {write.offset}")
    sector, is_prefix = rng.choice(SECTORS), rng.choice([True, False])
    end = write.offset + len(write.content)
    starts = range(write.offset // sector * sector, end, sector)
    whole = set(starts[: rng.randrange(len(starts))] if is_prefix else rng.sample(starts, rng.randrange(len(starts))))
    for start in starts:
        if start in whole:
            first, last = max(start, write.offset), min(start + sector, end)
            _write(data, first, write.content[first - write.offset : last - write.offset], kept)


def _write(data: bytearray, offset: int, content: bytes, kept: Kept) -> None:
    if offset > len(data):
        _resize(data, offset, garbage=kept.garbage)
    data[offset : offset + len(content)] = content


def _resize(data: bytearray, size: int, *, garbage: bool) -> None:
    missing = size - len(data)
    if missing <= 0:
        del data[size:]
    elif garbage:
        pattern = hashlib.sha256(b"%d" % size).digest()
        data.extend((pattern * (missing // len(pattern) + 1))[:missing])
    else:
        data.extend(bytes(missing))
