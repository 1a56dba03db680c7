"""Validate the corpus in bulk with a library whose sanitizers end the process at the first fault.

Usage: python -m tests.support.sanitized LIBRARY, with the runtime of the sanitizer loaded first (LD_PRELOAD). Prints
how many lines were added and how many of them approved.
"""

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.contract.formats import instant
from pipeline.validation import native
from tests.hostile import bad_lines, deliver, good_lines
from tests.support.bulk_corpus import BAD, FULL, GOOD, HANDED_BACK, TOKENS, approve, changed
from tests.support.data_folder import NOW


def corpus(rng: random.Random) -> Iterator[Sequence[bytes]]:
    """Yield blocks: the catalogues, a hostile delivery, truncated lines, and random changes of a record."""
    now = instant(NOW)
    for text in (*GOOD.values(), *HANDED_BACK.values(), *BAD.values()):
        yield [text]
    yield from ([good.line] for good in good_lines(now))
    yield from ([bad.line] for bad in bad_lines(now))
    for _, content in deliver(13, now, events=300, files=4).files:
        lines = content.split(b"\n")
        yield from (lines[start : start + 100] for start in range(0, len(lines), 100))
    yield from ([FULL[:size]] for size in range(len(FULL) + 1))
    for _ in range(1200):
        yield [_any_change(rng) for _ in range(rng.randrange(1, 6))]


def _any_change(rng: random.Random) -> bytes:
    changes = []
    for _ in range(rng.randrange(1, 4)):
        other = rng.choice(TOKENS) if rng.random() < 0.8 else rng.randbytes(rng.randrange(1, 9)).replace(b"\n", b"")
        changes.append((rng.randrange(len(FULL)), rng.randrange(5), other))
    return changed(changes)


def main() -> None:
    """Validate every block in buffers of exactly its size, so that the sanitizers see any access beyond them."""
    library = native.load(Path(sys.argv[1]))
    lines = good = 0
    for block in corpus(random.Random(5)):
        rows, _ = approve(block, library)
        lines += len(block)
        good += rows.num_rows
    print(lines, good)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
