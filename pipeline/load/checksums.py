"""The checksum of a plain raw file, as far as it was read: CRC-32, since parts of a file can be read side by side.

Reads what it is given; writes nothing.
"""

import zlib
from typing import IO, Final

_POLYNOMIAL: Final = 0xEDB88320  # of CRC-32; the lowest power of x has the highest bit
_ONE: Final = 1 << 31
_X_TO_THE_8TH: Final = _ONE >> 8
_PIECE_BYTES: Final = 1 << 20

EMPTY: Final = 0  # the checksum of no bytes


def extended(checksum: int | None, content: bytes | memoryview) -> int | None:
    """Return the checksum after more bytes; None where it is unknown before them."""
    return None if checksum is None else zlib.crc32(content, checksum)


def joined(first: int | None, second: int | None, length: int) -> int | None:
    """Return the checksum of bytes that follow each other.

    Args:
        first: the checksum of the bytes that come first; None: unknown.
        second: the checksum of the others; None: unknown.
        length: the number of bytes that follow the first ones.
    """
    if first is None or second is None:
        return None
    factor, power = _ONE, _X_TO_THE_8TH
    while length:  # each byte multiplies what is before it by x^8
        if length & 1:
            factor = _product(factor, power)
        power = _product(power, power)
        length >>= 1
    return _product(factor, first) ^ second


def of_beginning(file: IO[bytes], end: int) -> int:
    """Return the checksum of a file's bytes before `end`, or of all bytes if there are fewer.

    Raises:
        OSError: the file cannot be read.
    """
    file.seek(0)
    checksum = EMPTY
    while end > 0 and (piece := file.read(min(end, _PIECE_BYTES))):
        checksum = zlib.crc32(piece, checksum)
        end -= len(piece)
    return checksum


def _product(left: int, right: int) -> int:
    """Multiply two polynomials over GF(2), modulo that of the checksum."""
    product = 0
    while left:
        if left & _ONE:
            product ^= right
        left = left << 1 & 0xFFFFFFFF
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return product
