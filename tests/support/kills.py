"""Commands on a data folder that are killed, or halted, at one of their steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from tests.support.data_folder import NOW, DataFolder
from tests.support.victim import Victim

RUN: Final = ("run", "--workers", "1")


def kill(
    folder: DataFolder,
    step: int,
    when: Literal["before", "after"],
    operation: str = "any",
    command: tuple[str, ...] = RUN,
) -> int:
    """Run a command and kill it before or after one of its operations; return how it ended."""
    with started(folder, step, when, operation, (*command, "--now", NOW)) as victim:
        return victim.end()


@contextmanager
def halted(folder: DataFolder, operation: str, command: tuple[str, ...] = (*RUN, "--now", NOW)) -> Iterator[Victim]:
    """Start a command that halts before its first operation of a name, and yield it as soon as it does."""
    with started(folder, 1, "halt", operation, command) as victim:
        victim.await_halt()
        yield victim


@contextmanager
def started(
    folder: DataFolder, step: int, when: Literal["before", "after", "halt"], operation: str, command: tuple[str, ...]
) -> Iterator[Victim]:
    """Start such a command, and see to it that it is gone in the end."""
    victim = Victim((*command, "--data-dir", str(folder.root)), step, when, operation)
    try:
        yield victim
    finally:
        victim.close()
