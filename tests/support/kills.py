"""Run commands on a data folder, and kill or halt them at one of their operations."""

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
    """Run a command, kill it before or after operation number `step`, and return its exit code or negative signal."""
    with started(folder, step, when, operation, (*command, "--now", NOW)) as victim:
        return victim.end()


@contextmanager
def halted(folder: DataFolder, operation: str, command: tuple[str, ...] = (*RUN, "--now", NOW)) -> Iterator[Victim]:
    """Start a command that halts before its first operation of this name, and yield it when it has halted."""
    with started(folder, 1, "halt", operation, command) as victim:
        victim.await_halt()
        yield victim


@contextmanager
def started(
    folder: DataFolder, step: int, when: Literal["before", "after", "halt"], operation: str, command: tuple[str, ...]
) -> Iterator[Victim]:
    """Start a command to kill or halt, yield it, and kill it at the end if it still runs."""
    victim = Victim((*command, "--data-dir", str(folder.root)), step, when, operation)
    try:
        yield victim
    finally:
        victim.close()
