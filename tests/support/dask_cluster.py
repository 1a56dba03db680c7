"""A real Dask cluster on loopback: a scheduler and workers, each a process of its own, as somebody would start them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, cast

import distributed

from pipeline.load.job import Job
from pipeline.storage.tombstones import Tombstones

_SECONDS = 60
# Nothing of a test outlives its processes, and a worker that is killed is missed at once.
_SETTINGS = {
    "DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "false",
    "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "0",
}
# Without an address, the pages of the dashboard's server are on all addresses, even if there is no dashboard.
_LOCAL = ("--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")


class Nowhere:
    """A store without files, which every machine can open."""

    @contextmanager
    def moved(self, _: Path | None) -> Iterator["Nowhere"]:
        """Yield itself."""
        yield self


def each(pool: Executor, function: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterator[Any]:
    """Yield the results of a function of one argument, which runs as pieces of work."""
    job = Job(cast("Any", Nowhere()), cast("Any", None), "run", 0, 0, 1, Tombstones())
    return pool.map(partial(_called, function), pieces, repeat(job))


def _called(function: Callable[[Any], Any], piece: Any, _: Job) -> Any:
    return function(piece)


class Cluster:
    """A scheduler and its workers.

    Args:
        folder: for logs and the scratch folders of workers.
        environment: of all processes, besides that of this one.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, {**os.environ, **_SETTINGS, **environment}
        self._file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", *_LOCAL)
        self.workers: list[subprocess.Popen[bytes]] = []
        with distributed.Client(
            scheduler_file=str(self._file), timeout=_SECONDS, set_as_default=False
        ) as client:  # waits for the file
            self.address: str = client.scheduler.address

    def add_worker(self, threads: int = 1, **environment: str) -> subprocess.Popen[bytes]:
        """Start one more worker, and wait until it has joined."""
        before = dict(self._environment)
        self._environment |= environment
        number = len(self.workers) + 1
        options = ("--nthreads", str(threads), "--no-nanny", *_LOCAL, "--memory-limit", "2GB")
        worker = self._start(f"worker-{number}", self.address, *options, "--local-directory", str(self._folder))
        self._environment = before
        self.workers.append(worker)
        alive = sum(process.poll() is None for process in self.workers)
        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(alive, timeout=_SECONDS)
        return worker

    def end_worker(self, worker: subprocess.Popen[bytes]) -> None:
        """Kill a worker, and wait until the scheduler has noticed."""
        worker.kill()
        worker.wait()
        alive = sum(process.poll() is None for process in self.workers)
        deadline = time.monotonic() + _SECONDS
        with distributed.Client(self.address, set_as_default=False) as client:
            while len(client.nthreads()) != alive:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        kind, *_ = name.split("-")
        file = ("--scheduler-file", str(self._file)) if kind == "scheduler" else ()
        with (self._folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments, *file],
                cwd=self._folder,  # which Python searches first
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def end(self) -> None:
        """Kill all processes."""
        for process in [*self.workers, self.scheduler]:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def cluster(folder: Path, workers: int, **environment: str) -> Iterator[Cluster]:
    """Start a cluster, and end it with the block."""
    started = Cluster(folder, environment)
    try:
        for _ in range(workers):
            started.add_worker()
        yield started
    finally:
        started.end()
