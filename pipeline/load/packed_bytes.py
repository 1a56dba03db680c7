"""The bytes of a compressed file, taken in its format's units; and the error for what cannot be unpacked further.

Reads a file that is open; writes nothing.
"""

from typing import IO, Final

_READ_BYTES: Final = 1 << 15  # small, because what is left of it is copied with each member or frame

TOO_EARLY: Final = "it ends too early"


class UnpackError(OSError):
    """Raised if a file cannot be unpacked further; the message says why. It has no `errno`: the disk is fine."""


class PackedBytes:
    """The bytes of a file from where it is read now, each given once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._waiting = file, b""

    def some(self) -> bytes:
        """Return the next bytes, as many as suit; none at the end."""
        taken, self._waiting = self._waiting or self._file.read(_READ_BYTES), b""
        return taken

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes, or fewer at the end."""
        parts, left = [], size
        while left and (part := self.some()):
            parts.append(part[:left])
            self.give_back(part[left:])
            left -= len(parts[-1])
        return b"".join(parts)

    def whole(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            UnpackError: there are fewer.
        """
        taken = self.take(size)
        if len(taken) < size:
            raise UnpackError(TOO_EARLY)
        return taken

    def give_back(self, content: bytes) -> None:
        """Put bytes in front again that were taken last."""
        self._waiting = content + self._waiting

    def skip_padding(self) -> None:
        """Pass over zero bytes."""
        while (part := self.some()) and not (left := part.lstrip(b"\0")):
            pass
        if part:
            self.give_back(left)
