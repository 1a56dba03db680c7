"""`usage` in a process that kills itself, or halts, at one of the operations that change something.

The operations are those of the store, the state and the stages, counted in the main process: all of them, or those of
one name. Past the last one the process just ends.
"""

import os
import signal
from collections.abc import Callable
from itertools import count
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Literal, TextIO

import pytest

from pipeline import keys
from pipeline.commands.app import app
from pipeline.erasure import erase, stage
from pipeline.load import stages
from pipeline.storage.state import State
from pipeline.storage.store import Store
from tests.support.forks import SERVER, start_server
from tests.support.syncs import skip_syncs

When = Literal["before", "after", "halt"]

_OPERATIONS: Final[dict[Any, tuple[str, ...]]] = {
    Store: ("sync", "make_folders", "apply", "stage", "clear"),
    State: ("begin", "end", "discard_commit", "settle", "carry_out"),
    stages: ("_read", "merge", "roll_up"),
    stage: ("erase_rejects",),
    erase: ("append",),
    keys: ("write_rows",),
}


class Victim:
    """One such process.

    Args:
        arguments: those of `usage`.
        step: which operation is the last, from 1; with 0 none is, and the process just ends.
        when: whether the process is killed before or after that operation, or halts before it.
        operation: the name of the operations that count, or `any`.
    """

    def __init__(self, arguments: tuple[str, ...], step: int, when: When, operation: str = "any") -> None:
        self._control, control = SERVER.Pipe()
        said, saying = SERVER.Pipe(duplex=False)
        self._process = SERVER.Process(target=_run, args=(arguments, step, when, operation, control, saying))
        self.said: TextIO = os.fdopen(os.dup(said.fileno()))  # what it writes to stdout and stderr
        start_server()
        with said, saying, control:  # the process has its own
            self._process.start()

    def is_alive(self) -> bool:
        """Return whether it has not ended yet."""
        return self._process.is_alive()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def await_halt(self) -> None:
        """Wait until it halts, which must not be after its end."""
        assert wait([self._control, self._process.sentinel]) == [self._control], self.said.read()
        self._control.recv()

    def resume(self) -> None:
        """Let it go on where it halted."""
        self._control.send(None)

    def end(self) -> int:
        """Wait for its end and return its exit code, or the negative number of the signal that ended it."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def close(self) -> None:
        """Kill it if it is still there."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._control.close()
        self.said.close()


def _run(
    arguments: tuple[str, ...], step: int, when: When, operation: str, control: Connection, saying: Connection
) -> None:
    """Carry out the command in the victim's own process, with the operations counted."""
    for descriptor in (1, 2):
        os.dup2(saying.fileno(), descriptor)
    patch = pytest.MonkeyPatch()
    skip_syncs(patch)
    counter = _Counter(step, when, control)
    for owner, names in _OPERATIONS.items():
        for name in names:
            if operation in {"any", name}:
                patch.setattr(owner, name, counter.counted(getattr(owner, name)))
    app(arguments)


class _Counter:
    """Counts operations, and kills or halts this process at one of them."""

    def __init__(self, step: int, when: When, control: Connection) -> None:
        self._numbers = count(1)
        self._step, self._when, self._control = step, when, control

    def counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        """Return an operation that counts itself first."""

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
