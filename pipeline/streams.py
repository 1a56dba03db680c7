"""stdin, stdout and stderr of a command, whatever they were when it was started.

Replaces `sys.stdout` and `sys.stderr` of the process, so that these rules hold for every command, its help and errors:

- On a terminal, characters that it would interpret are escaped. Files and pipes get the exact bytes.
- If stdout does not take some output, that is an `OutputError`. What stderr does not take is dropped: no work fails
  because nobody reads its messages.
- A stream that was closed when the command started stays closed: no file that is opened later gets its number.

`show` writes data to stdout and `note` everything else to stderr.
"""

import codecs
import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer  # of `collections.abc` from Python 3.12 on

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2
_ERRORS: Final = "usage.exact"


class OutputError(Exception):
    """Raised when stdout does not take what is written to it.

    Args:
        number: the `errno` of the failure.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"stdout cannot be written: {os.strerror(self.number)}"


def guard() -> None:
    """Replace the streams of this process; to be called once, before anything is opened or written."""
    # In ascending order: what is opened gets the lowest free number.
    _reopen(_STDIN, os.O_RDONLY)
    _reopen(_STDOUT, os.O_RDONLY)  # so that what is written to it fails, instead of being lost
    _reopen(_STDERR, os.O_WRONLY)
    codecs.register_error(_ERRORS, _exact)
    if sys.stdin is None:
        sys.stdin = open(_STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = _text(_Descriptor(_STDOUT, escaping=os.isatty(_STDOUT), needed=True))
    sys.stderr = _text(_Descriptor(_STDERR, escaping=os.isatty(_STDERR), needed=False))


def show(text: str = "", *, end: str = "\n") -> None:
    """Write data to stdout, at once."""
    sys.stdout.write(f"{text}{end}")
    sys.stdout.flush()


def note(text: str) -> None:
    """Write a message for the user to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def for_progress() -> TextIO:
    """Return stderr for a library that moves the cursor: nothing is escaped, so the caller must do it."""
    return _text(_Descriptor(_STDERR, escaping=False, needed=False))


class _Descriptor(io.RawIOBase):
    """Writes to a file descriptor.

    Args:
        number: of the descriptor.
        escaping: whether to escape what a terminal would interpret.
        needed: whether the first failure raises `OutputError`; bytes that cannot be written are dropped.
    """

    def __init__(self, number: int, *, escaping: bool, needed: bool) -> None:
        self._number, self._needed = number, needed
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace") if escaping else None
        self._failed = False

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def writable(self) -> bool:
        return True

    def write(self, data: "Buffer", /) -> int:
        content = bytes(data)
        if not self._failed:
            try:
                self._write(content)
            except OSError as error:
                self._failed = True
                if self._needed:
                    raise OutputError(error.errno or 0) from None
        return len(content)

    def _write(self, content: bytes) -> None:
        if self._decoder is not None:
            from pipeline.contract.text import printable  # noqa: PLC0415 - of terminals only

            content = printable(self._decoder.decode(content), kept="\n\t").encode()
        rest = memoryview(content)
        while rest:
            try:
                rest = rest[os.write(self._number, rest) :]
            except BlockingIOError:  # a process that shares the pipe has made it non-blocking
                select.select([], [self._number], [])


def _text(descriptor: _Descriptor) -> TextIO:
    buffered = io.BufferedWriter(descriptor)
    lines = descriptor.fileno() == _STDERR or descriptor.isatty()
    return io.TextIOWrapper(buffered, encoding="utf-8", errors=_ERRORS, newline="", line_buffering=lines)


def _reopen(number: int, flags: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open(os.devnull, flags), True)


def _exact(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode what UTF-8 cannot: the original bytes of a file's name as they were, other lone surrogates as escapes."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)
