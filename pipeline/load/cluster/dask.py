"""Runs pieces of work on a cluster of Dask: a scheduler, and any number of `dask worker` processes beside it.

Certificates for `tls://` come from Dask's own configuration (`DASK_DISTRIBUTED__COMM__TLS__…`).
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from functools import partial
from itertools import islice, takewhile
from time import monotonic
from typing import Any, Final

import distributed

from pipeline.load.cluster.fingerprint import fingerprint
from pipeline.load.cluster.work import ClusterError, Pieces, Worker, refuse_mismatch, work
from pipeline.load.piece import Slot

_CONNECT_SECONDS: Final = 10
_WORKERS_SECONDS: Final = 30
_AT_ONCE: Final = 64  # results fetched together: one at a time would take as long as a small piece
_LOOK_SECONDS: Final = 5  # how often it is looked for workers while a piece is waited for
# How often a piece may end with the death of its worker. Dask's own limit of 3 is reached by machines that go away;
# this one only by a piece that kills its workers, such as by its memory.
_ALLOWED_FAILURES: Final = 10
_MEMORY_BYTES: Final = 1 << 30  # of a thread of a worker without a limit
_ENGINES_SHARE: Final = 4  # one part of the memory is for engines; rows, copies and libraries have the others


@contextmanager
def connected(address: str, patience: float = _WORKERS_SECONDS) -> Iterator[tuple[Executor, int]]:
    """Connect to a scheduler; yield an executor, and how many pieces the cluster runs at once now.

    Args:
        address: of the scheduler.
        patience: how long the cluster may be without workers, in seconds.

    Raises:
        ClusterError: there is no scheduler, or no worker.
        MismatchError: a worker has another release, Python or package.
    """
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # whatever goes wrong, an error here says it once
    try:
        client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False, name="usage-run")
    except (OSError, ValueError, RuntimeError) as error:
        raise ClusterError(f"no scheduler answers at {address}: {_reason(error)}") from None
    try:
        yield _Pool(client, address, patience), _prepare(client, address, patience)
    finally:
        client.close()


def _prepare(client: distributed.Client, address: str, patience: float) -> int:
    """Compare all workers with this process, and return how many pieces they run at once."""
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError:
        raise ClusterError(
            f"no worker has joined the scheduler at {address} for {patience:.0f} s; start `dask worker {address}`"
        ) from None
    client.run_on_scheduler(_allow_failures)
    for worker, found in client.run(fingerprint).items():
        refuse_mismatch(worker, found, fingerprint())
    return sum(client.nthreads().values())


def _allow_failures(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = max(dask_scheduler.allowed_failures, _ALLOWED_FAILURES)


class _Pool(Pieces):
    """An executor whose pieces run on the cluster."""

    def __init__(self, client: distributed.Client, address: str, patience: float) -> None:
        self._client, self._address, self._patience = client, address, patience

    def map(  # type: ignore[override]  # without its options, which nothing uses
        self, fn: Callable[..., Any], *iterables: Any
    ) -> Iterator[Any]:
        """Begin all pieces now, and yield their results in order.

        Raises:
            ClusterError: the scheduler is gone, or a piece keeps ending its workers.
        """
        calls = list(zip(*iterables, strict=False))  # some iterables have no end
        if not calls:
            return iter(())
        columns = map(list, zip(*calls, strict=True))
        futures = self._client.map(partial(work, fingerprint(), _here, fn), *columns, pure=False)
        futures.reverse()  # so that each is forgotten, and its result freed on its worker, once it was yielded
        return self._results(futures)

    def _results(self, futures: list[Any]) -> Iterator[Any]:
        try:
            while futures:
                ready = list(islice(takewhile(_is_finished, reversed(futures)), _AT_ONCE)) or futures[-1:]
                results = self._gathered(ready)
                del futures[-len(ready) :], ready
                yield from results
        finally:
            if futures:
                self._client.cancel(futures, force=True)

    def _gathered(self, futures: list[Any]) -> Any:
        """Return the results of pieces that have finished, or wait for that of one piece."""
        since = monotonic()
        while True:
            try:
                return self._client.sync(self._gather, futures, callback_timeout=min(_LOOK_SECONDS, self._patience))
            except distributed.KilledWorker as error:
                raise ClusterError(
                    f"a piece of work ended {error.allowed_failures + 1} workers, the last one at"
                    f" {error.last_worker.address}; they may have too little memory"
                ) from None
            except (CancelledError, OSError) as error:  # a time-out is an OSError, too
                if self._client.status != "running" or isinstance(error, CancelledError):
                    raise ClusterError(f"the scheduler at {self._address} is gone; nothing was published") from None
                if any(future.status == "error" for future in futures):
                    raise
            if self._client.nthreads():
                since = monotonic()
            elif monotonic() - since >= self._patience:
                raise ClusterError(f"all workers of the scheduler at {self._address} are gone; nothing was published")

    async def _gather(self, futures: list[Any]) -> Any:
        return await self._client.gather(futures, asynchronous=True)


def _is_finished(future: Any) -> bool:
    return bool(future.status == "finished")


def _here() -> Worker:
    """Return this worker: each of its threads is a slot, and they share the memory that it was given."""
    worker = distributed.get_worker()
    threads = worker.state.nthreads
    limit = worker.memory_manager.memory_limit or threads * _MEMORY_BYTES
    return Worker(worker.address, Slot(threads, limit // _ENGINES_SHARE >> 20, threads))


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
