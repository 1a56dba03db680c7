"""How a command shows its progress on stderr: a bar for each stage on a terminal, else a line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Final

from pipeline.load.progress import Progress
from pipeline.streams import for_progress, note

if TYPE_CHECKING:
    import rich.progress

_WIDE: Final = 110  # columns that a terminal needs for bars and speed
_BAR: Final = 20  # columns of a bar


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Yield bars if stderr is a terminal, else lines."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        ProgressColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    console = Console(file=for_progress())
    what, left = TextColumn("{task.description}"), TimeRemainingColumn()
    speed = TextColumn("{task.fields[speed]}")
    columns: tuple[ProgressColumn, ...]
    if console.width < _WIDE:
        columns = (what, TaskProgressColumn(), left)
    else:
        columns = (what, BarColumn(_BAR), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("left"), left, speed)
    with Bars(*columns, console=console) as bars:
        yield _Bars(bars)


class _Lines(Progress):
    """Prints a line for each stage."""

    def begin(self, stage: str, what: str, total: int = 0, unit: str = "") -> None:  # noqa: ARG002 - the interface
        """Print what the stage does."""
        note(what)


class _Bars(Progress):
    """Shows a bar for each stage whose total is known."""

    def __init__(self, bars: "rich.progress.Progress") -> None:
        self._bars = bars
        self._task: rich.progress.TaskID | None = None
        self._lines, self._start = 0, 0.0

    def begin(self, stage: str, what: str, total: int = 0, unit: str = "") -> None:  # noqa: ARG002 - the interface
        """Begin a bar if the total is known."""
        from rich.markup import escape

        from pipeline.contract.text import printable

        self._task = self._bars.add_task(escape(printable(what)), total=total, speed="") if total else None
        self._lines, self._start = 0, perf_counter()

    def advance(self, done: int, lines: int = 0) -> None:
        """Advance the bar."""
        if self._task is None:
            return
        self._lines += lines
        speed = self._lines / max(perf_counter() - self._start, 1e-9)
        self._bars.update(self._task, advance=done, speed=f"{speed:,.0f} lines/s" if self._lines else "")
