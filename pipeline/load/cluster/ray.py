"""Runs pieces of work on a cluster of Ray, through its client port.

The workers need this package in their own environment: nothing is sent to them but names and arguments.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import ray

from pipeline.load.cluster.fingerprint import Fingerprint, fingerprint
from pipeline.load.cluster.work import ClusterError, Pieces, Worker, refuse_mismatch, work
from pipeline.load.piece import Slot

_MEMORY_MB: Final = 256  # of the engine in a process
_RETRIES: Final = 10  # how often a piece may end with the death of its worker


@contextmanager
def connected(address: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a cluster; yield an executor, and how many pieces the cluster runs at once now.

    Raises:
        ClusterError: nothing answers there, or there are no processors.
        MismatchError: a worker has another release, Python or package.
    """
    try:
        client = ray.init(address, logging_level=logging.CRITICAL, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"no cluster answers at {address}: {' '.join(str(error).split())}") from None
    with client:
        slots = int(ray.cluster_resources().get("CPU", 0))
        if not slots:
            raise ClusterError(f"the cluster at {address} has no processors")
        pool = _Pool(address)
        compared = ray.remote(_compared)
        for name, found in ray.get([compared.remote() for _ in range(slots)]):
            refuse_mismatch(name, found, fingerprint())
        yield pool, slots


class _Pool(Pieces):
    """An executor whose pieces run on the cluster."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._run = ray.remote(max_retries=_RETRIES, num_cpus=1)(work)

    def map(  # type: ignore[override]  # without its options, which nothing uses
        self, fn: Callable[..., Any], *iterables: Any
    ) -> Iterator[Any]:
        """Begin all pieces now, and yield their results in order.

        Raises:
            ClusterError: the cluster is gone, or a piece keeps ending its workers.
        """
        begin = partial(self._run.remote, fingerprint(), _here, fn)
        pieces = [begin(*arguments) for arguments in zip(*iterables, strict=False)]  # some iterables have no end
        pieces.reverse()
        return self._results(pieces)

    def _results(self, pieces: list[Any]) -> Iterator[Any]:
        try:
            while pieces:
                yield self._result(pieces.pop())
        finally:
            for piece in pieces:
                ray.cancel(piece, force=False)

    def _result(self, piece: Any) -> Any:
        try:
            return ray.get(piece)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise ClusterError(f"the cluster at {self._address}: {' '.join(str(error).split())}") from None


def _compared() -> tuple[str, Fingerprint]:
    return str(ray.util.get_node_ip_address()), fingerprint()


def _here() -> Worker:
    """Return this worker: Ray gives each process one processor."""
    return Worker(str(ray.util.get_node_ip_address()), Slot(1, _MEMORY_MB))
