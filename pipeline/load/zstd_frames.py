"""Unpacks a zstd file, up to the last block that can be unpacked.

Reads a file that is open; writes nothing. The file has one or more frames, some of which may be skippable; zero
padding may follow them, as on tapes and block devices. pyarrow's stream unpacks an intact file. The call in which it
fails returns nothing of what it unpacked, so at a fault the file is unpacked again, block by block.
"""

from collections.abc import Iterator
from typing import IO, Final

import pyarrow as pa

from pipeline.load.packed_bytes import TOO_EARLY, PackedBytes, UnpackError

# What every reader of the format should support, and the default limit of zstd itself.
_WINDOW_BYTES: Final = 128 << 20
_LARGEST_WINDOW_LOG: Final = 31  # that the command line of zstd can unpack

_MAGIC: Final = 0xFD2FB528
_MAGIC_BYTES: Final = 4
_SKIPPED_BYTES: Final = 1 << 20  # at once
_SKIPPABLE: Final = range(0x184D2A50, 0x184D2A60)
_DICTIONARY_ID_BYTES: Final = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES: Final = (0, 2, 4, 8)
_RUN: Final = 1  # the type of a block that is one byte, repeated


def unpacked(file: IO[bytes], chunk_bytes: int) -> Iterator[bytes]:
    """Yield the content in pieces of at most `chunk_bytes`.

    Raises:
        UnpackError: the file is damaged, ends too early, or needs too much memory; all lines before the fault were
            yielded, but some bytes of the line that contains the fault may be missing.
        OSError: the disk fails.
    """
    stream, done = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"), 0
    try:
        while content := stream.read(chunk_bytes):
            yield content
            done += len(content)
    except OSError as error:
        if error.errno is not None:  # the disk fails, not the stream
            raise
    else:
        if done or file.tell():
            return
    file.seek(0)
    yield from _block_by_block(file, chunk_bytes, done)


def _block_by_block(file: IO[bytes], chunk_bytes: int, done: int) -> Iterator[bytes]:
    """Yield the content behind its first `done` bytes."""
    stream = pa.CompressedInputStream(pa.PythonFile(_Pieces(file), mode="r"), "zstd")
    fault: OSError | None = None
    while fault is None:
        chunk = bytearray(chunk_bytes)
        try:
            content = bytes(chunk[: stream.readinto(chunk)])
        except OSError as error:
            is_ours = isinstance(error, UnpackError) or error.errno is not None
            fault = error if is_ours else UnpackError(f"it is damaged: {error}")
            content = bytes(chunk).rstrip(b"\0")  # nobody says how much was unpacked, but the rest stayed zero
        else:
            if not content:
                return
        yield content[done:]
        done = max(0, done - len(content))
    raise fault


class _Pieces:
    """A file whose reads return at most one block each, so that pyarrow's stream unpacks one block at a time."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._pieces, self._piece = _pieces(PackedBytes(file)), b""

    def read(self, size: int) -> bytes:
        """Return the next piece, or what is left of it."""
        piece = self._piece or next(self._pieces, b"")
        self._piece = piece[size:]
        return piece[:size]

    def close(self) -> None:
        """Do nothing: pyarrow's stream closes its file."""


def _pieces(packed: PackedBytes) -> Iterator[bytes]:
    """Yield what pyarrow's stream needs of a file: each frame's header, blocks and checksum.

    Raises:
        UnpackError: a frame is not complete or needs too much memory, or the file contains something other than frames.
    """
    frames = 0
    while True:
        if frames:
            packed.skip_padding()
        magic = packed.take(_MAGIC_BYTES)
        if frames and not magic:
            return
        number = int.from_bytes(magic, "little")
        if number == _MAGIC:
            yield from _frame(packed)
        elif number in _SKIPPABLE:
            _skip(packed)
        elif any(known.to_bytes(_MAGIC_BYTES, "little").startswith(magic) for known in (_MAGIC, *_SKIPPABLE)):
            raise UnpackError(TOO_EARLY)
        else:
            raise UnpackError("something else follows its last frame" if frames else "it is not in the zstd format")
        frames += 1


def _skip(packed: PackedBytes) -> None:
    left = int.from_bytes(packed.whole(4), "little")
    while left:
        left -= len(packed.whole(min(left, _SKIPPED_BYTES)))


def _frame(packed: PackedBytes) -> Iterator[bytes]:
    """Yield the pieces of a frame, including its first four bytes, which were taken already."""
    descriptor = packed.whole(1)
    flags = descriptor[0]
    is_single, has_checksum = flags & 0x20, flags & 0x04
    window = b"" if is_single else packed.whole(1)
    dictionary = packed.whole(_DICTIONARY_ID_BYTES[flags & 3])
    size = packed.whole(_CONTENT_SIZE_BYTES[flags >> 6] or bool(is_single))
    _refuse_large_window(_window_bytes(window[0]) if window else int.from_bytes(size, "little"))
    yield _MAGIC.to_bytes(_MAGIC_BYTES, "little") + descriptor + window + dictionary + size
    is_last = 0
    while not is_last:
        header = packed.whole(3)
        number = int.from_bytes(header, "little")
        is_last, kind, length = number & 1, number >> 1 & 3, number >> 3
        if kind == _RUN:
            length = 1
        block = packed.take(length)
        yield header + block  # even a part of an uncompressed block is useful
        if len(block) < length:
            raise UnpackError(TOO_EARLY)
    if has_checksum:
        yield packed.whole(4)


def _window_bytes(descriptor: int) -> int:
    base = 1 << (10 + (descriptor >> 3))
    return base + base // 8 * (descriptor & 7)


def _refuse_large_window(size: int) -> None:
    if size > _WINDOW_BYTES:
        log = (size - 1).bit_length()
        how = f"; repack it: zstd -dc --long={log} FILE | zstd -o NEW" if log <= _LARGEST_WINDOW_LOG else ""
        raise UnpackError(f"it needs a window of {size >> 20:,} MiB, more than {_WINDOW_BYTES >> 20}{how}")
