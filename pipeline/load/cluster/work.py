"""Runs one piece of work in a worker of a cluster, if it has the same code as the coordinator.

ClusterError       the cluster cannot be reached, or cannot do the work
└── MismatchError  a worker has another release, Python or package than the coordinator
"""

from collections.abc import Callable
from typing import Any

from pipeline.load.cluster.fingerprint import Fingerprint, fingerprint


class ClusterError(RuntimeError):
    """Raised when the cluster cannot be reached, or cannot do the work; the message says what to do."""


class MismatchError(ClusterError):
    """Raised when a worker would compute with other code than the coordinator."""

    def __init__(self, worker: str, differences: list[str]) -> None:
        super().__init__(worker, differences)  # exactly the arguments of __init__: otherwise it cannot be unpickled
        self.worker, self.differences = worker, differences

    def __str__(self) -> str:
        return f"the worker {self.worker} has {', '.join(self.differences)}: install the coordinator's release there"


def refuse_mismatch(worker: str, theirs: Fingerprint, ours: Fingerprint) -> None:
    """Compare a worker with the coordinator.

    Raises:
        MismatchError: they differ.
    """
    differences = ours.differences(theirs)
    if differences:
        raise MismatchError(worker, differences)


def work(expected: Fingerprint, worker: Callable[[], str], function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a piece of work, after comparing this worker with the coordinator: it may have joined late.

    Args:
        expected: the coordinator's fingerprint.
        worker: returns the name of this worker.
        function: of the piece.
        arguments: of the function.

    Raises:
        MismatchError: they differ.
    """
    refuse_mismatch(worker(), fingerprint(), expected)
    return function(*arguments)
