"""The process that runs commands in forks of itself, with the shim loaded and everything imported.

Reads jobs from stdin, one JSON object on a line. For each one it prints the process id of the fork, and, when that has
ended, how: two lines of JSON. Ends with its stdin.
"""

import faulthandler
import os
import resource
import sys
import traceback
from pathlib import Path

import msgspec
import pytest

from tests.faults.shim import Arming, arm, has_fired
from tests.support import late_imports, views

_FIRED = 1  # in the pipe that the fork leaves


class Job(msgspec.Struct, frozen=True):
    """One command to run.

    Attributes:
        arguments: of `usage`.
        said: the folder for its streams, `stdout` and `stderr`.
        arming: what the shim does; None: nothing.
        memory: how many bytes of address space the process may have besides what it has; 0: any.
        plant: a function of `tests.faults.plants` that is called first; empty for none.
    """

    arguments: list[str]
    said: str
    arming: Arming | None = None
    memory: int = 0
    plant: str = ""


class Ended(msgspec.Struct, frozen=True):
    """How a fork ended: its exit code, or the negative number of a signal, and whether a call failed."""

    code: int
    fired: bool


def main() -> None:
    """Serve until stdin ends."""
    assert late_imports
    for line in sys.stdin.buffer:
        job = msgspec.json.decode(line, type=Job)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _work(job, writing)
        os.close(writing)
        _reply(pid)
        _, status = os.waitpid(pid, 0)
        fired = os.read(reading, 1)
        os.close(reading)
        _reply(Ended(os.waitstatus_to_exitcode(status), bool(fired)))


def _reply(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def _work(job: Job, fired: int) -> None:
    """Run the command in the fork, and end it as the interpreter would."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        descriptor = os.open(Path(job.said, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    code = 1
    try:
        code = _command(job)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - as the interpreter does
        os.write(2, traceback.format_exc().encode())
    finally:
        if job.arming and has_fired():
            os.write(fired, b"!")
        os._exit(code)


def _command(job: Job) -> int:
    from service.commands import main as usage  # noqa: PLC0415 - after the imports of all others

    if job.plant:
        from tests.faults import plants  # noqa: PLC0415 - only where a fault is planted

        getattr(plants, job.plant)()
    sys.argv = ["usage", *job.arguments]
    if job.arming is None and not job.memory:
        views.copy_views(pytest.MonkeyPatch())  # what prepares and recovers need not take as long
    if job.memory:
        faulthandler.enable(all_threads=False)  # it says where a library ended the process
        limit = _mapped_bytes() + job.memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if job.arming:
        arm(job.arming)
    try:
        usage()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def _mapped_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
