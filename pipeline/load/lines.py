"""Reads the lines of a raw file, in blocks of many lines.

Reads plain, gzip and zstd files as a stream; writes nothing.
"""

import sys
from collections.abc import Iterator
from typing import IO, Final

import msgspec
import pyarrow as pa

from pipeline.load.discovery import Compression

# A stream that breaks off loses the chunk in which it breaks, so chunks of compressed files are small.
_COMPRESSED_CHUNK_BYTES: Final = 1 << 16
# The quarantine keeps this much of a longer line, so that a file without newlines needs no more memory than that.
_LINE_KEPT_BYTES: Final = 16 << 20


class Block(msgspec.Struct, frozen=True):
    """Consecutive lines."""

    lines: bytes  # each with its newline; the last line of a file may have none, and is then a block of its own
    dropped: int = 0  # bytes of a line too long to be kept, which is a block of its own

    @property
    def whole(self) -> bool:
        """Return whether each line ends with a newline."""
        return self.lines.endswith(b"\n")

    @property
    def bytes(self) -> int:
        """Return how many bytes of the file the block covers."""
        return len(self.lines) + self.dropped


def blocks(
    file: IO[bytes],
    compression: Compression | None,
    offset: int,
    end: int,
    chunk_bytes: int,
    *,
    compressed_chunk_bytes: int = _COMPRESSED_CHUNK_BYTES,
    line_kept_bytes: int = _LINE_KEPT_BYTES,
) -> Iterator[Block]:
    """Yield the lines of a file.

    Args:
        file: open for reading bytes.
        compression: of the file.
        offset: where the first line begins, 0 for a compressed file.
        end: how far a plain file is read; what is appended meanwhile is for the next run.
        chunk_bytes: about the size of a block.
        compressed_chunk_bytes: how much of a compressed file is read at once, after decompression.
        line_kept_bytes: how much of a longer line is kept; the rest is dropped.

    Raises:
        OSError: the file cannot be read further, or does not decompress; the lines before that were yielded.
    """
    if compression:
        stream = pa.CompressedInputStream(pa.PythonFile(file), compression)
        chunks = _chunks(stream, compressed_chunk_bytes, sys.maxsize)
        return _blocks(_gathered(chunks, -(-chunk_bytes // compressed_chunk_bytes)), line_kept_bytes)
    file.seek(offset)
    return _blocks(_chunks(file, chunk_bytes, end - offset), line_kept_bytes)


def _chunks(stream: IO[bytes], chunk_bytes: int, size: int) -> Iterator[bytes]:
    while chunk := stream.read(min(chunk_bytes, size)):
        size -= len(chunk)
        yield chunk


def _gathered(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Join `count` small chunks at a time; before an error, yield the chunks read so far."""
    parts: list[bytes] = []
    try:
        for chunk in chunks:
            parts.append(chunk)
            if len(parts) >= count:
                yield b"".join(parts)
                parts.clear()
    except OSError:
        yield b"".join(parts)
        raise
    yield b"".join(parts)


def _blocks(chunks: Iterator[bytes], line_kept_bytes: int) -> Iterator[Block]:
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
        if len(rest) > line_kept_bytes:
            dropped += len(rest) - line_kept_bytes
            rest = rest[:line_kept_bytes]
    if rest:
        yield Block(rest, dropped)
