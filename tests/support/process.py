"""`usage` and `usage serve` as real processes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from tests.support.forked_service import ForkedService
from tests.support.project import ROOT

BIN = Path(sys.executable).parent
USAGE: Final = (BIN / "usage",)
COMMAND: Final = (sys.executable, "-c", "from service.commands import main; main()")
ENVIRONMENT: Final = {**os.environ, "PYTHONPATH": str(ROOT)}

Service: TypeAlias = subprocess.Popen[str] | ForkedService


def wait_until(process: subprocess.Popen[Any], condition: Callable[[], bool]) -> None:
    """Wait until a condition holds. Fail if the process ends first."""
    while not condition():
        assert process.poll() is None
        time.sleep(0.005)


def start(
    data_dir: Path,
    *options: str,
    command: Sequence[str | Path] | None = None,
    now: str | None = "2026-11-24T12:00:00Z",
    **settings: str,
) -> tuple[Service, str]:
    """Start `usage serve`; return the process and its URL once it listens: on any port, or on USAGE_SOCKET.

    Without a `now`, its clock is the real one. Without a command, such as `USAGE`, the process is forked: it starts
    faster, and looks larger, because it has everything imported that any test needs.
    """
    clock = [] if now is None else ["--now", now]
    port = [] if "USAGE_SOCKET" in settings else ["--port", "0"]
    arguments = ["serve", *port, "--data-dir", str(data_dir), *clock, *options]
    process: Service
    if command is None:
        process = ForkedService(arguments, settings)
    else:
        process = subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True, env=os.environ | settings)
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        match = re.match(r"listening on (\S+)", line)
        if match:
            return process, match[1]
    raise AssertionError("".join(seen))


def stop(process: Service) -> str:
    """Stop the service and return the rest of its log."""
    process.send_signal(signal.SIGINT)  # at once
    _, rest = process.communicate(timeout=60)
    return rest


class Running(NamedTuple):
    """A running service: its main process, its URL and the lines of its log so far."""

    process: Service
    url: str
    log: list[str]


@contextmanager
def service(
    data_dir: Path,
    *options: str,
    command: Sequence[str | Path] | None = None,
    now: str | None = "2026-11-24T12:00:00Z",
    number: signal.Signals = signal.SIGINT,
    **settings: str,
) -> Iterator[Running]:
    """Yield a running service, whose log is read: a full pipe would block it. Nothing of it is left afterwards."""
    process, url = start(data_dir, *options, command=command, now=now, **settings)
    assert process.stderr is not None
    log: list[str] = []
    reading = threading.Thread(target=log.extend, args=(process.stderr,))
    reading.start()
    pids = workers_of(process)
    try:
        yield Running(process, url, log)
    finally:
        pids |= workers_of(process)
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=60)
        process.kill()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reading.join()
        process.stderr.close()


def workers_of(process: Service) -> set[int]:
    """Return the ids of the processes that a main process started and that live."""
    try:
        text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii")
    except OSError:
        return set()
    return {int(pid) for pid in text.split()}


@contextmanager
def running(data_dir: Path, *options: str, **settings: str) -> Iterator[str]:
    """Yield the URL of a running service."""
    with service(data_dir, *options, **settings) as found:  # type: ignore[arg-type]  # settings have other names
        yield found.url
