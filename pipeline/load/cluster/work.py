"""Runs one piece of work in a worker of a cluster, if it has the same code as the coordinator.

ClusterError       the cluster cannot be reached, or cannot do the work
└── MismatchError  a worker has another release, Python or package than the coordinator
"""

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import msgspec

from pipeline.contract.settings import Settings
from pipeline.load.cluster.fingerprint import Fingerprint, fingerprint
from pipeline.load.job import Job
from pipeline.load.piece import Slot, occupy
from pipeline.startup import limit_threads


class ClusterError(RuntimeError):
    """Raised when the cluster cannot be reached, or cannot do the work; the message says what to do."""


class MismatchError(ClusterError):
    """Raised when a worker would compute with other code than the coordinator."""

    def __init__(self, worker: str, differences: list[str]) -> None:
        super().__init__(worker, differences)  # exactly the arguments of __init__: otherwise it cannot be unpickled
        self.worker, self.differences = worker, differences

    def __str__(self) -> str:
        return f"the worker {self.worker} has {', '.join(self.differences)}: install the coordinator's release there"


class Worker(msgspec.Struct, frozen=True):
    """A worker: its name in the cluster, and the slot that each of its pieces has."""

    name: str
    slot: Slot


class Pieces(Executor):
    """An executor of pieces of work; the adapter of each engine has its own `map`."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Refuse: all pieces of a step are submitted together, by `map`."""
        raise NotImplementedError

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: what still runs was cancelled when its results were no longer wanted."""


def refuse_mismatch(worker: str, theirs: Fingerprint, ours: Fingerprint) -> None:
    """Compare a worker with the coordinator.

    Raises:
        MismatchError: they differ.
    """
    differences = ours.differences(theirs)
    if differences:
        raise MismatchError(worker, differences)


def work(
    expected: Fingerprint, here: Callable[[], "Worker"], function: Callable[[Any, Job], Any], piece: Any, job: Job
) -> Any:
    """Run a piece of work, after comparing this worker with the coordinator: it may have joined late.

    Args:
        expected: the coordinator's fingerprint.
        here: returns what there is to know of this worker.
        function: of the piece.
        piece: what it works on.
        job: the run.

    Raises:
        MismatchError: worker and coordinator differ.
    """
    worker = here()
    refuse_mismatch(worker.name, fingerprint(), expected)
    limit_threads()
    occupy(worker.slot)
    with job.store.moved(Settings.read(os.environ).scratch) as store:
        return function(piece, msgspec.structs.replace(job, store=store))
