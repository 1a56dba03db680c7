"""Hold the first bytes of a result back: a statement that fails soon has written nothing, and can run again."""

from typing import IO, Final

_HELD_BYTES: Final = 8 << 20


class Held:
    """Passes on what is written to it, to a stream only once there is more of it than is held back.

    Args:
        file: where it goes.
        can_rewind: whether the file is read by nobody yet, so that it can be emptied.
        most: how many bytes are held back at most.
    """

    def __init__(self, file: IO[bytes], *, can_rewind: bool, most: int = _HELD_BYTES) -> None:
        self._file, self._can_rewind, self._most = file, can_rewind, most
        self._held = bytearray()
        self._has_passed = False

    def write(self, content: bytes) -> None:
        """Write some bytes."""
        self._held += content
        if len(self._held) > self._most:
            self.release()

    def release(self) -> None:
        """Pass on what is held back."""
        self._has_passed = True
        view = memoryview(self._held)
        while view:
            view = view[self._file.write(view) :]  # a pipe may take a part
        self._held = bytearray()

    def can_clear(self) -> bool:
        """Return whether nothing of what was written has gone for good."""
        return self._can_rewind or not self._has_passed

    def clear(self) -> None:
        """Forget what was written so far, if that is possible."""
        self._held.clear()
        if self._has_passed:
            self._file.seek(0)
            self._file.truncate()
