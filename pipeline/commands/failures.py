"""How a failing command ends: with one line on stderr and an exit code; a traceback only for a mistake in this code.

This one place handles whatever commands do not, such as a folder in place of a file, a full disk or a closed pipe.
"""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pipeline.commands.exit_codes import FAILED, SIGNALLED, WRONG_USAGE
from pipeline.streams import OutputError, note

# Packages whose errors have messages for people: this one, and the libraries that read and write files for it.
_EXPECTED: Final = frozenset(("pipeline", "service", "sqlite3", "pyarrow", "duckdb", "_duckdb", "filelock"))
# What Python says, as a RuntimeError, where memory or processes are too few.
_NO_THREAD: Final = "can't start new thread"


def reason(error: BaseException) -> str:
    """Return what went wrong, in one line."""
    if isinstance(error, OSError) and error.strerror:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        text = "out of memory"
    else:
        text = str(error)
    return " ".join(text.split()) or type(error).__name__


@contextmanager
def ending() -> Iterator[None]:
    """End a command as this module says; around all that it does, its help and refused options included."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as error:
        from pipeline.contract.settings import SettingError

        _let_go(error)
        if isinstance(error, KeyboardInterrupt):
            raise SystemExit(SIGNALLED + signal.SIGINT) from None
        if isinstance(error, SettingError):
            note(str(error))
            raise SystemExit(WRONG_USAGE) from None
        if isinstance(error, OutputError):
            _end(error, is_closed=error.number == errno.EPIPE)
        if isinstance(error, OSError | MemoryError) or str(error) == _NO_THREAD or _is_expected(error):
            _end(error, is_closed=isinstance(error, BrokenPipeError))
        raise


def _is_expected(error: BaseException) -> bool:
    return type(error).__module__.split(".")[0] in _EXPECTED


def _end(error: BaseException, *, is_closed: bool) -> None:
    """Exit, silently if the reader of a pipe, such as `head`, has all that it wanted."""
    if is_closed:
        raise SystemExit(SIGNALLED + signal.SIGPIPE) from None
    note(f"error: {reason(error)}")
    raise SystemExit(FAILED) from None


def _let_go(error: BaseException | None) -> None:
    """Close what the failed calls left open: DuckDB would complain if it were still open when the process ends."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__
