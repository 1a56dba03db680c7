"""Gzip of bytes of which all but the end are known before.

The known part is compressed once and flushed to a whole byte; for each request a stored block with the end and the
checksum over both follow. It stays one member, because many clients stop after the first of several.
"""

import zlib
from struct import Struct
from typing import Final

LONGEST_END: Final = 0xFFFF  # bytes of a stored block

_GZIP: Final = 16 + zlib.MAX_WBITS  # with the header of RFC 1952
_STORED: Final = Struct("<BHH")  # last block and kind, length, length inverted
_TRAILER: Final = Struct("<II")  # CRC-32 and length modulo 2³²
_LENGTHS: Final = 1 << 32


def begin(data: bytes) -> bytes:
    """Return a member that lacks its last block; its trailer is that of the data so far."""
    compressor = zlib.compressobj(wbits=_GZIP)
    start = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return start + _TRAILER.pack(zlib.crc32(data), len(data) % _LENGTHS)


def end(begun: bytes, rest: bytes) -> bytes:
    """Return the whole member of the data that was begun and the rest.

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
