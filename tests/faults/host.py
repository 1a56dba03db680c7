"""Run commands of `usage` under the shim: each in a fork of one process that is started once.

The process is a host of its own, so that the shim is in no other test. A command starts in milliseconds.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from tests.faults.hosted import Ended, Job
from tests.faults.shim import Arming, library
from tests.support.project import ROOT

TIMEOUT_SECONDS: Final = 60
HANGS: Final = -999  # in place of an exit code


class Outcome(NamedTuple):
    """How a command ended, whether a call failed as it was told to, and what the command printed."""

    code: int
    fired: bool
    stdout: str
    stderr: str


class Host:
    """A process with the shim; a context manager that ends it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="faults-"))
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library()),
            "PYTHONPATH": str(ROOT),
            "OPENBLAS_NUM_THREADS": "1",  # a process that forks must have no other threads
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.hosted"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # `select` must see every line that was not read yet
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def usage(
        self, arguments: Sequence[str], *, arming: Arming | None = None, memory: int = 0, plant: str = ""
    ) -> Outcome:
        """Run a command to its end; one that hangs is killed, and has the exit code `HANGS`.

        Args:
            arguments: of `usage`.
            arming: what the shim does; None: nothing.
            memory: how many bytes of address space the command may have besides those of the host; 0: any.
            plant: a function of `tests.faults.plants` that is called first.
        """
        job = Job(list(arguments), str(self._folder), arming, memory, plant)
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        pid: int = self._reply(int)
        hangs = not self._is_ready(TIMEOUT_SECONDS)
        if hangs:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended: Ended = self._reply(Ended)
        stdout, stderr = ((self._folder / name).read_text(errors="replace") for name in ("stdout", "stderr"))
        return Outcome(HANGS if hangs else ended.code, ended.fired, stdout, stderr)

    def _reply(self, kind: type[Any]) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the host has ended"
        return msgspec.json.decode(line, type=kind)

    def _is_ready(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])
