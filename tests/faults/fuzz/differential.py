"""Compare what `bulk.c` approves with what `validate` returns: each approved line is good and has the same row.

A good line that is handed back only takes longer. A bad line that is approved is the fault to find.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from pipeline.validation import native
from pipeline.validation.native import Library
from tests.faults.fuzz.mutations import mutated
from tests.support.bulk_corpus import approved

_BLOCK_LINES: Final = 200


class Compared(NamedTuple):
    """What a comparison did."""

    lines: int
    approved: int  # of the lines
    fault: bytes | None  # the first line on which the two differ


def compare(lines: Iterator[bytes], library: Library | None = native.LIBRARY) -> Compared:
    """Compare all lines, block by block, up to the first fault."""
    count = good = 0
    while block := list(islice(lines, _BLOCK_LINES)):
        try:
            good += len(approved(block, library))
        except AssertionError:
            return Compared(count, good, _culprit(block, library))
        count += len(block)
    return Compared(count, good, None)


def _culprit(block: Sequence[bytes], library: Library | None) -> bytes:
    """Return the line that causes the fault of a block; all of it where no line does so alone."""
    for line in block:
        try:
            approved([line], library)
        except AssertionError:
            return line
    return b"\n".join(block)


def mutants(lines: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Yield changed lines without end: of those that are approved, and of changed ones that were approved.

    Args:
        lines: to begin with; approved ones only, as nearly all changes of a bad line are bad.
        seed: the same one gives the same lines.
    """
    rng = random.Random(seed)
    while True:
        yield mutated(rng.choice(lines), lines, rng)


def good_lines(lines: Sequence[bytes], library: Library | None = native.LIBRARY) -> list[bytes]:
    """Return the lines that are approved."""
    return [lines[number] for number in approved(lines, library)]
