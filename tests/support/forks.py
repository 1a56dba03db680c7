"""A server that processes are forked from: it has everything imported and has not begun any work.

A process that is forked from it starts in milliseconds; the imports of a command take more than a second.
"""

import multiprocessing
from multiprocessing import forkserver
from typing import Final

import pytest

from tests.support.project import ROOT

SERVER: Final = multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Start the server, if it is not there yet; it ends with this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("OPENBLAS_NUM_THREADS", "1")  # a process that forks has no other threads
        SERVER.set_forkserver_preload(["tests.support.late_imports"])
        forkserver.ensure_running()
