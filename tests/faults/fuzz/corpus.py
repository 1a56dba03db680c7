"""The corpus: blocks of lines that together reach all of `bulk.c` that any block known so far reaches.

One compressed file has a JSON text for each block, whose characters are the bytes of the block.
`python -m tests.faults.fuzz --keep` adds what it finds.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pipeline.contract.actions import ACTIONS
from pipeline.contract.formats import instant
from pipeline.contract.tables import STATUSES
from tests.hostile import bad_lines, good_lines
from tests.support.bulk_corpus import BAD, FULL, GOOD, HANDED_BACK, TOKENS
from tests.support.data_folder import NOW, WORKSPACE
from tests.support.lines import line

PATH: Final = Path(__file__).with_name("corpus.jsonl.gz")
BLOCK_BYTES_MAX: Final = 1024

# Texts that an input is changed by: keys, words, values at the edges of the rules, and pieces of tokens.
DICTIONARY: Final = sorted(
    {
        *TOKENS,
        *(b'"%s"' % word.encode() for word in (*ACTIONS, *STATUSES)),
        *(
            b'"%s":' % key
            for key in b"id workspace_id timestamp recorded_at action kind resource user metadata".split()
        ),
        *(b'"%s":' % key for key in b"ip run usage type name status credits audio_ms languages locale".split()),
        *(b'"%s":' % key for key in b"characters lines corrected x".split()),
        *(b'"2024-02-29T10:00:00Z"', b'"2100-02-28T23:59:59.999999+23:59"', b'"0000-03-01T00:00:00-00:00"'),
        *(b'"9999-12-31T23:59:59.1234567-23:59"', b'"2011-01-01T00:00:00Z"', b'"%s"' % WORKSPACE.encode()),
        *(
            b'"en-US"',
            b'"de_Latn-DE-1996"',
            b'"und"',
            b'"x"',
            b"1000000000000",
            b"-0",
            b"-0.0e+1",
            b"false",
            b"[]",
            b"{}",
        ),
        *(b"\\b", b"\\f", b"\\r", b"\\t", b"\\\\", b"\\u0000", b"\\ud83d\\ude00", b"\\uD800", b"\\udfff", b"\\u005c"),
        *(b"\xc2\x80", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf"),
    }
)


def seeds() -> list[bytes]:
    """Return what is known without fuzzing: the lines of the catalogues, a record with every field, and some days."""
    now = instant(NOW)
    days = [line(recorded_at=f"{day}T00:00:00+00:01") for day in ("2100-03-01", "1900-02-29", "1600-02-29")]
    catalogues = (*GOOD.values(), *HANDED_BACK.values(), *BAD.values())
    hostile = (*(good.line for good in good_lines(now)), *(bad.line for bad in bad_lines(now)))
    return [text for text in (FULL, *days, *catalogues, *hostile) if len(text) <= BLOCK_BYTES_MAX]


def load(path: Path = PATH) -> list[bytes]:
    """Return the blocks."""
    with gzip.open(path, "rt", encoding="ascii") as file:
        return [json.loads(text).encode("latin-1") for text in file]


def save(blocks: Iterable[bytes], path: Path = PATH) -> None:
    """Replace the blocks; the same blocks give the same file."""
    texts = [json.dumps(block.decode("latin-1")) + "\n" for block in sorted(set(blocks), key=lambda b: (len(b), b))]
    path.write_bytes(gzip.compress("".join(texts).encode(), mtime=0))


def unpack(blocks: Iterable[bytes], folder: Path) -> None:
    """Write each block to a file, as libFuzzer reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, block in enumerate(blocks):
        (folder / f"{number:05}").write_bytes(block)


def lines_of(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of all blocks."""
    for block in blocks:
        yield from block.split(b"\n")


def write_dictionary(path: Path) -> None:
    """Write the dictionary in libFuzzer's format."""
    path.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in text) + '"\n' for text in DICTIONARY), "ascii")
