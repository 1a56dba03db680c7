"""Unpacks a gzip file, up to the last byte that can be unpacked.

Reads a file that is open; writes nothing. The file has one or more members. Zero padding may follow each of
them, as on tapes and block devices.
"""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Final

from pipeline.load.packed_bytes import TOO_EARLY, PackedBytes, UnpackError

_GZIP: Final = 16 + zlib.MAX_WBITS  # the format with header and trailer
_MAGIC: Final = b"\x1f\x8b"


def unpacked(file: IO[bytes], chunk_bytes: int) -> Iterator[bytes]:
    """Yield the content in pieces of at most `chunk_bytes`.

    Raises:
        UnpackError: the file is damaged or ends too early; everything before the fault was yielded.
        OSError: the disk fails.
    """
    packed, members = PackedBytes(file), 0
    while True:
        if members:
            packed.skip_padding()
        beginning = packed.take(len(_MAGIC))
        if members and not beginning:
            return
        if not _MAGIC.startswith(beginning):
            raise UnpackError("something else follows its last member" if members else "it is not in the gzip format")
        packed.give_back(beginning)
        yield from _member(packed, chunk_bytes)
        members += 1


def _member(packed: PackedBytes, chunk_bytes: int) -> Iterator[bytes]:
    stream, waiting = zlib.decompressobj(_GZIP), b""
    while not stream.eof:
        waiting = waiting or packed.some()
        before = stream.copy()
        try:
            content = stream.decompress(waiting, chunk_bytes)
        except zlib.error as error:
            yield from _before_fault(before, waiting, chunk_bytes)
            raise UnpackError(f"it is damaged: {str(error).rpartition(': ')[2]}") from None
        if content:
            yield content
        elif not waiting:
            raise UnpackError(TOO_EARLY)
        waiting = stream.unconsumed_tail
    packed.give_back(stream.unused_data)


def _before_fault(stream: "zlib._Decompress", packed: bytes, chunk_bytes: int) -> Iterator[bytes]:
    """Yield what a stream unpacks before its fault; the zlib call that fails returns nothing of what it unpacked."""
    while len(packed) > 1:
        half = packed[: len(packed) // 2]
        trial = stream.copy()
        try:
            content = trial.decompress(half, chunk_bytes)
        except zlib.error:
            packed = half
        else:
            yield content
            stream, packed = trial, packed[len(half) :]
    with suppress(zlib.error):
        while content := stream.decompress(packed, 1):
            yield content
            packed = stream.unconsumed_tail
