"""Share the DuckDB instances of all runs of a process: opening one takes a fifth of the time of a small run.

The product opens one for each run, because its spill folder is in the run's staging folder. Tests that run commands in
other processes do as the product does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from pipeline.storage import engine


@contextmanager
def share_instances(patch: pytest.MonkeyPatch, spill: Path) -> Iterator[None]:
    """Let all engines of this process with the same limits share an instance, which spills to `spill`."""
    open_instance = engine._instance.__wrapped__  # noqa: SLF001 - what is shared here is no part of its interface
    instances: dict[tuple[int, str], duckdb.DuckDBPyConnection] = {}

    def shared(_: Path, threads: int, memory: str) -> duckdb.DuckDBPyConnection:
        if (threads, memory) not in instances:
            instances[threads, memory] = open_instance(spill, threads, memory)
        return instances[threads, memory]

    patch.setattr(engine, "_instance", shared)
    yield
    for instance in instances.values():
        instance.close()
