"""The lines of a raw file, in blocks of many at once.

Reads plain, gzip and zstd files as a stream; writes nothing.
"""

import sys
from collections.abc import Iterator
from typing import IO, Final

import msgspec
import pyarrow as pa

from pipeline.load.discovery import Compression

# Small enough for a block to stay in the processor's cache.
_CHUNK_BYTES: Final = 1 << 20
# A stream that breaks off gives nothing of the chunk it breaks in.
_COMPRESSED_CHUNK_BYTES: Final = 1 << 16
# Of a longer line this much goes to the quarantine, so that a file without newlines needs no more memory than that.
_LINE_KEPT_BYTES: Final = 16 << 20


class Block(msgspec.Struct, frozen=True):
    """Lines that follow each other."""

    lines: bytes  # each with its newline, but for the last of a file that ends without one, a block of its own
    dropped: int = 0  # bytes of a line too long to be kept, which is a block of its own

    @property
    def whole(self) -> bool:
        """Return whether each line ends with a newline."""
        return self.lines.endswith(b"\n")

    @property
    def bytes(self) -> int:
        """Return how many bytes of the file they are."""
        return len(self.lines) + self.dropped


def blocks(file: IO[bytes], compression: Compression | None, offset: int, end: int) -> Iterator[Block]:
    """Yield the lines of a file.

    Args:
        file: open for reading bytes.
        compression: of the file.
        offset: where the first line begins, 0 for a compressed file.
        end: how far a plain file is read; what is appended meanwhile is for the next run.

    Raises:
        OSError: the file cannot be read on, or does not decompress; the lines before that are out.
    """
    if compression:
        stream = pa.CompressedInputStream(pa.PythonFile(file), compression)
        return _blocks(_gathered(_chunks(stream, _COMPRESSED_CHUNK_BYTES, sys.maxsize)))
    file.seek(offset)
    return _blocks(_chunks(file, _CHUNK_BYTES, end - offset))


def _chunks(stream: IO[bytes], chunk_bytes: int, size: int) -> Iterator[bytes]:
    while chunk := stream.read(min(chunk_bytes, size)):
        size -= len(chunk)
        yield chunk


def _gathered(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield small chunks joined to larger ones, those before a failure first."""
    parts: list[bytes] = []
    try:
        for chunk in chunks:
            parts.append(chunk)
            if len(parts) * _COMPRESSED_CHUNK_BYTES >= _CHUNK_BYTES:
                yield b"".join(parts)
                parts.clear()
    except OSError:
        yield b"".join(parts)
        raise
    yield b"".join(parts)


def _blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    rest, dropped = b"", 0
    for chunk in chunks:
        start, stop = 0, chunk.rfind(b"\n") + 1
        if dropped and stop:
            start = chunk.index(b"\n") + 1
            yield Block(rest + b"\n", dropped + start - 1)
            rest, dropped = b"", 0
        if start < stop:
            yield Block(rest + chunk[start:stop])
            rest = b""
        if dropped:
            dropped += len(chunk)
        else:
            rest += chunk[stop:]
        if len(rest) > _LINE_KEPT_BYTES:
            dropped += len(rest) - _LINE_KEPT_BYTES
            rest = rest[:_LINE_KEPT_BYTES]
    if rest:
        yield Block(rest, dropped)
