"""A server from which processes are forked: it has imported everything and has done no work.

A forked process starts in milliseconds. The imports of a command take more than a second.
"""

import multiprocessing
from multiprocessing import forkserver
from typing import Final

import pytest

from tests.support.project import ROOT

SERVER: Final = multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Start the server unless it is running. It ends with this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("OPENBLAS_NUM_THREADS", "1")  # a process that forks must have no other threads
        SERVER.set_forkserver_preload(["tests.support.late_imports"])
        forkserver.ensure_running()
