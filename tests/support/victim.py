"""Run `usage` in a process that kills itself or halts at one of the operations that change data.

The main process counts the operations of the store, the state, the stages and the erasure: all of them, or only the
operations with one name. A command that has fewer operations runs to its end.
"""

import os
import signal
from collections.abc import Callable
from itertools import count
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Literal, TextIO

import pytest

from pipeline import keys
from pipeline.commands import app
from pipeline.erasure import stage
from pipeline.load import stages
from pipeline.storage import folder_writer
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from tests.support.forks import SERVER, start_server
from tests.support.syncs import skip_syncs
from tests.support.views import copy_views

When = Literal["before", "after", "halt"]

OPERATIONS: Final[dict[Any, tuple[str, ...]]] = {
    FolderStore: ("sync", "make_folders", "apply", "stage", "clear"),
    State: ("begin", "end", "discard_commit", "carry_out"),
    stages: ("_read", "merge", "roll_up"),
    stage: ("erase_rejects",),
    folder_writer: ("append",),
    keys: ("write_rows",),
}


class Victim:
    """A process that runs `usage`, and kills itself or halts at one operation.

    Args:
        arguments: the arguments of `usage`.
        step: the number of that operation, from 1. With 0, the command runs to its end.
        when: kill the process `before` or `after` the operation, or `halt` before it.
        operation: the name of the operations that are counted, or `any`.
    """

    def __init__(self, arguments: tuple[str, ...], step: int, when: When, operation: str = "any") -> None:
        self._control, control = SERVER.Pipe()
        said, saying = SERVER.Pipe(duplex=False)
        self._process = SERVER.Process(target=_run, args=(arguments, step, when, operation, control, saying))
        self.said: TextIO = os.fdopen(os.dup(said.fileno()))  # the process's stdout and stderr
        start_server()
        with said, saying, control:  # the process has copies of its own
            self._process.start()

    def is_alive(self) -> bool:
        """Return whether the process is still running."""
        return self._process.is_alive()

    def send_signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def await_halt(self) -> None:
        """Wait until the process halts. Fail if it ends first."""
        assert wait([self._control, self._process.sentinel]) == [self._control], self.said.read()
        self._control.recv()

    def resume(self) -> None:
        """Let the process continue."""
        self._control.send(None)

    def end(self) -> int:
        """Wait for the end, and return the exit code or the negative number of the signal."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def close(self) -> None:
        """Kill the process if it still runs, and release its pipes."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._control.close()
        self.said.close()


def replace_operations(
    patch: pytest.MonkeyPatch, replaced: Callable[[Callable[..., Any]], Callable[..., Any]], operation: str = "any"
) -> None:
    """Replace all operations, or those with one name, by what a function makes of them."""
    for owner, names in OPERATIONS.items():
        for name in names:
            if operation in {"any", name}:
                patch.setattr(owner, name, replaced(getattr(owner, name)))


def _run(
    arguments: tuple[str, ...], step: int, when: When, operation: str, control: Connection, saying: Connection
) -> None:
    """Run the command in the new process, and count its operations."""
    for descriptor in (1, 2):
        os.dup2(saying.fileno(), descriptor)
    patch = pytest.MonkeyPatch()
    skip_syncs(patch)
    copy_views(patch)
    counter = _Counter(step, when, control)
    replace_operations(patch, counter.counted, operation)
    app.run(app.COMMANDS, arguments)


class _Counter:
    """Counts operations, and kills or halts this process at one of them."""

    def __init__(self, step: int, when: When, control: Connection) -> None:
        self._numbers = count(1)
        self._step, self._when, self._control = step, when, control

    def counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        """Return an operation that counts its calls."""

        def counting(*arguments: Any, **named: Any) -> Any:
            is_last = next(self._numbers) == self._step
            if is_last and self._when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if is_last and self._when == "halt":
                self._control.send(None)
                self._control.recv()
            result = operation(*arguments, **named)
            if is_last and self._when == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counting
