"""`usage serve` in a forked process, with the methods of `subprocess.Popen` that tests use."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TextIO

from tests.support.forks import SERVER, start_server


class ForkedService:
    """A forked process that runs `usage` with some arguments and settings.

    Attributes:
        pid: the id of the process.
        stderr: what it and its workers write.
    """

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, str]) -> None:
        start_server()
        reading, writing = SERVER.Pipe(duplex=False)
        self.stderr: TextIO = os.fdopen(os.dup(reading.fileno()))
        self._process = SERVER.Process(target=_run, args=(list(arguments), dict(settings), writing))
        with reading, writing:  # the process has a copy of its own
            self._process.start()
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit code, or the negative number of the signal that killed the process."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code if the process has ended."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: the process did not end in time.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("usage serve", timeout or 0)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[None, str]:
        """Return all that is still written until the process and its workers end."""
        rest = self.stderr.read()
        self.wait(timeout)
        self.stderr.close()
        return None, rest

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()


def _run(arguments: list[str], settings: dict[str, str], writing: Connection) -> None:
    from service.commands import main  # noqa: PLC0415 - the server has it already

    os.dup2(writing.fileno(), 2)
    writing.close()
    os.environ.update(settings)
    tempfile.tempdir = None  # the server's choice, which was made with other settings
    sys.argv = ["usage", *arguments]
    main()
