"""Where the pieces of work of a run are done: in this process where they are few, else in others that end with it.

What a piece needs goes in and what it gave comes out by pickling; it writes to the run's staging folder and nowhere
else, so that nothing comes of the work of a process that outlives its parent for a moment.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.util import Finalize

from pipeline.startup import start_lean


@contextmanager
def executor(workers: int) -> Iterator[Executor]:
    """Offer an executor; when it is left early, what it has not begun is given up."""
    pool: Executor
    if workers == 1:
        pool = ThreadPoolExecutor(1)
    else:
        # Forking a process with threads in it, as the engine's, can hang.
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    start_lean()
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to all of a group, but meant for the parent
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_after_parent, daemon=True).start()
    # The engine complains about its own objects when the interpreter is taken down.
    Finalize(None, _exit(0), exitpriority=0)


def _end_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _exit(code: int) -> Callable[[], None]:
    return lambda: os._exit(code)
