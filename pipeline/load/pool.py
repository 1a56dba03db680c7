"""Runs the pieces of work of a run: in this process if they are few, otherwise in worker processes that end with it.

Arguments and results of a piece are pickled. A piece creates files only below its own staging folder (`load/piece`), so
that a worker that outlives its parent for a moment does no harm.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.util import Finalize

from pipeline.load.piece import Slot, occupy
from pipeline.startup import limit_threads


@contextmanager
def executor(workers: int) -> Iterator[Executor]:
    """Open an executor; after an error, pieces that have not begun are cancelled."""
    pool: Executor
    if workers == 1:
        pool = ThreadPoolExecutor(1, initializer=occupy, initargs=(Slot.of_this_machine(1),))
    else:
        # A fork of a process with threads, such as those of the engine, can hang.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(workers,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(workers: int) -> None:
    limit_threads()
    occupy(Slot.of_this_machine(workers))
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal sends them to the whole group, but the parent decides
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_after_parent, daemon=True).start()
    # When the interpreter shuts down, the engine reports leaks of its own objects.
    Finalize(None, _exit(0), exitpriority=0)


def _end_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _exit(code: int) -> Callable[[], None]:
    return lambda: os._exit(code)
