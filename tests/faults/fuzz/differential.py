"""Compare what `bulk.c` approves with what `validate` returns: each approved line is good and has the same row.

A good line that is handed back only takes longer. A bad line that is approved is the fault to find.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import pyarrow as pa

from pipeline.validation import native
from pipeline.validation.native import Library
from tests.faults.fuzz.mutations import mutated
from tests.support.bulk_corpus import approved

_BLOCK_LINES: Final = 200


class Compared(NamedTuple):
    """What a comparison did."""

    lines: int
    approved: int  # of the lines
    fault: Sequence[bytes] | None  # the line on which the two differ first, or the lines, if none does so alone


def compare(lines: Iterator[bytes], library: Library | None = native.LIBRARY) -> Compared:
    """Compare all lines, block by block, up to the first fault."""
    count = good = 0
    while block := list(islice(lines, _BLOCK_LINES)):
        found = _approved(block, library)
        if found is None:
            return Compared(count, good, _culprit(block, library))
        count, good = count + len(block), good + found
    return Compared(count, good, None)


def _approved(block: Sequence[bytes], library: Library | None) -> int | None:
    """Return how many lines of a block are approved; None if the two differ."""
    try:
        return len(approved(block, library))
    except (AssertionError, pa.ArrowInvalid):  # ArrowInvalid: a text is not UTF-8
        return None


def _culprit(block: Sequence[bytes], library: Library | None) -> Sequence[bytes]:
    """Return the line that causes the fault of a block, or the lines."""
    while len(block) > 1:
        halves = block[: len(block) // 2], block[len(block) // 2 :]
        half = next((half for half in halves if _approved(half, library) is None), None)
        if half is None:
            break
        block = half
    return block


def mutants(lines: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Yield changed lines without end.

    Args:
        lines: what is changed; approved ones only, as nearly all changes of a bad line are bad.
        seed: the same one gives the same lines.
    """
    rng = random.Random(seed)
    while True:
        yield mutated(rng.choice(lines), lines, rng)


def good_lines(lines: Sequence[bytes], library: Library | None = native.LIBRARY) -> list[bytes]:
    """Return the lines that are approved."""
    return [lines[number] for number in approved(lines, library)]
