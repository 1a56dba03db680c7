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
from typing import Any, Final

import typer
from typer.core import TyperGroup

from pipeline.commands.exit_codes import FAILED, SIGNALLED, WRONG_USAGE
from pipeline.commands.streams import OutputError
from pipeline.contract.settings import SettingError

# Packages whose errors have messages for people: this one, and the libraries that read and write files for it.
_EXPECTED: Final = frozenset(("pipeline", "service", "sqlite3", "pyarrow", "duckdb", "_duckdb", "filelock"))
# What Python says, as a RuntimeError, where memory or processes are too few.
_NO_THREAD: Final = "can't start new thread"


class Commands(TyperGroup):
    """The commands of `usage`, each of which ends as this module says."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        with _ending():  # also around help and refused options, which `invoke` does not see
            return super().main(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with _ending():  # inside of Typer, which has its own way to end at a closed pipe
            return super().invoke(ctx)


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
def _ending() -> Iterator[None]:
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BaseException as error:
        _let_go(error)
        if isinstance(error, SettingError):
            typer.echo(str(error), err=True)
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
    typer.echo(f"error: {reason(error)}", err=True)
    raise SystemExit(FAILED) from None


def _let_go(error: BaseException | None) -> None:
    """Close what the failed calls left open: DuckDB would complain if it were still open when the process ends."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__
