"""Gzip of data whose beginning is the same for many requests and whose end is not.

The beginning is compressed once and flushed to a byte boundary. For each request, the end follows as a stored
(uncompressed) block, then the checksum of both. The result is one gzip member, because many clients stop after the
first of several.
"""

import zlib
from struct import Struct
from typing import Final

LONGEST_END: Final = 0xFFFF  # bytes that fit into one stored block

_GZIP: Final = 16 + zlib.MAX_WBITS  # writes the header of RFC 1952
_STORED: Final = Struct("<BHH")  # flags (last block, stored), length, length inverted
_TRAILER: Final = Struct("<II")  # CRC-32 and length modulo 2³²
_LENGTHS: Final = 1 << 32


def begin(data: bytes) -> bytes:
    """Return an unfinished gzip member: the compressed data, then the trailer (checksum and length) of these data."""
    compressor = zlib.compressobj(wbits=_GZIP)
    start = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return start + _TRAILER.pack(zlib.crc32(data), len(data) % _LENGTHS)


def end(begun: bytes, rest: bytes) -> bytes:
    """Return the finished gzip member of the data that were begun, followed by the rest.

    Args:
        begun: what `begin` returned.
        rest: the end of the data, stored uncompressed.

    Raises:
        ValueError: the rest is longer than `LONGEST_END`.
    """
    length = len(rest)
    if length > LONGEST_END:
        raise ValueError(f"{length} bytes do not fit into one stored block")
    crc, before = _TRAILER.unpack_from(begun, len(begun) - _TRAILER.size)
    return b"".join(
        (
            begun[: -_TRAILER.size],
            _STORED.pack(1, length, length ^ LONGEST_END),
            rest,
            _TRAILER.pack(zlib.crc32(rest, crc), (before + length) % _LENGTHS),
        )
    )
