"""The lines of files as a load would read them: plain, gzip or zstd, by the suffix of the name.

Reads the files; writes nothing.
"""

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pipeline.load.lines import blocks
from pipeline.mapping.trial import Line

_COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd"}
_CHUNK_BYTES: Final = 1 << 20


def lines_of(paths: Mapping[str, Path]) -> Iterator[Line]:
    """Yield the lines of files, one file after the other.

    Args:
        paths: the files, by what they are called in what is said of their lines.

    Raises:
        OSError: a file cannot be read to its end; the lines before that were yielded.
    """
    for name, path in paths.items():
        with path.open("rb") as file:
            compression = _COMPRESSIONS.get(path.suffix.lower())
            number = 0
            for block in blocks(file, compression, 0, path.stat().st_size, _CHUNK_BYTES):  # type: ignore[arg-type]
                for content in block.lines.removesuffix(b"\n").split(b"\n"):
                    number += 1
                    start = len(BOM_UTF8) if number == 1 and content.startswith(BOM_UTF8) else 0
                    yield Line(content[start:], name, number, block.whole, block.dropped)
