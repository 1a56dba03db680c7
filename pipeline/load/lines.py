"""Reads the lines of a raw file, in blocks of many lines.

Reads plain, gzip and zstd files as a stream; writes nothing.
"""

from collections.abc import Callable, Iterator
from typing import IO, Final

import msgspec

from pipeline.load import gzip_members, zstd_frames
from pipeline.load.checksums import extended
from pipeline.load.discovery import Compression
from pipeline.load.packed_bytes import UnpackError

_UNPACKED: Final[dict[Compression, Callable[[IO[bytes], int], Iterator[bytes]]]] = {
    "gzip": gzip_members.unpacked,
    "zstd": zstd_frames.unpacked,
}
# The quarantine keeps this much of a longer line, so that a file without newlines needs no more memory than that.
_LINE_KEPT_BYTES: Final = 16 << 20


class Block(msgspec.Struct, frozen=True):
    """Consecutive lines."""

    lines: bytes  # each with its newline; the last line of a file may have none, and is then a block of its own
    dropped: int = 0  # bytes of a line too long to be kept, which is a block of its own
    checksum: int | None = None  # of the file up to the end of the block; None: unknown, or the file is compressed
    cut: bool = False  # whether the file cannot be unpacked further: more of the line may follow

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
    checksum: int | None = None,
    *,
    line_kept_bytes: int = _LINE_KEPT_BYTES,
) -> Iterator[Block]:
    """Yield the lines of a file.

    Args:
        file: open for reading bytes.
        compression: of the file.
        offset: where the first line begins, 0 for a compressed file.
        end: how far a plain file is read; what is appended meanwhile is for the next run.
        chunk_bytes: about the size of a block.
        checksum: of the bytes before `offset`; None: no checksum is computed.
        line_kept_bytes: how much of a longer line is kept; the rest is dropped.

    Raises:
        UnpackError: the file cannot be unpacked further; the lines before that were yielded.
        OSError: the file cannot be read further.
    """
    if compression:
        chunks = _gathered(_UNPACKED[compression](file, chunk_bytes), chunk_bytes)
        return _blocks(chunks, line_kept_bytes, None)
    file.seek(offset)
    return _blocks(_chunks(file, chunk_bytes, end - offset), line_kept_bytes, checksum)


def _chunks(stream: IO[bytes], chunk_bytes: int, size: int) -> Iterator[bytes]:
    while chunk := stream.read(min(chunk_bytes, size)):
        size -= len(chunk)
        yield chunk


def _gathered(chunks: Iterator[bytes], chunk_bytes: int) -> Iterator[bytes]:
    """Join small chunks until they are `chunk_bytes` long; before an error, yield what was read so far."""
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= chunk_bytes:
                yield b"".join(parts)
                parts.clear()
                size = 0
    except UnpackError:
        yield b"".join(parts)
        raise
    yield b"".join(parts)


def _blocks(chunks: Iterator[bytes], line_kept_bytes: int, checksum: int | None) -> Iterator[Block]:
    rest, dropped = b"", 0
    try:
        for chunk in chunks:
            start, stop = 0, chunk.rfind(b"\n") + 1
            bytes_ = memoryview(chunk)
            if dropped and stop:
                start = chunk.index(b"\n") + 1
                checksum = extended(checksum, bytes_[:start])
                yield Block(rest + b"\n", dropped + start - 1, checksum)
                rest, dropped = b"", 0
            if start < stop:
                checksum = extended(checksum, bytes_[start:stop])
                yield Block(rest + chunk[start:stop], 0, checksum)
                rest = b""
            checksum = extended(checksum, bytes_[stop:])
            if dropped:
                dropped += len(chunk)
            else:
                rest += chunk[stop:]
            if len(rest) > line_kept_bytes:
                dropped += len(rest) - line_kept_bytes
                rest = rest[:line_kept_bytes]
    except UnpackError:
        if rest:
            yield Block(rest, dropped, cut=True)
        raise
    if rest:
        yield Block(rest, dropped)
