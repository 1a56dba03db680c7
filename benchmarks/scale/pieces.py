"""The pieces of work of a run: how long each takes, and how much goes to its worker and back.

Loads logs into a folder, one piece after the other, in this process.
"""

import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.load import NOW
from pipeline import run as runs
from pipeline.contract.formats import instant
from pipeline.contract.settings import Settings
from pipeline.load.job import Limits
from pipeline.load.piece import Slot, occupy
from pipeline.load.results import RunReport

_AT_ONCE = 6  # for which the run divides its work: a sample's share of the 64 slots for which a slice would
_MEMORY_MB = 256


class Piece(msgspec.Struct, frozen=True):
    """One piece of work: its function, its processor time in seconds, and the bytes of its arguments and its result."""

    step: str
    seconds: float
    sent: int
    answered: int


class _Timed(Executor):
    """An executor that runs one piece after the other, and keeps count."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Refuse: steps submit their pieces together, by `map`."""
        raise NotImplementedError

    def map(self, fn: Callable[..., Any], *iterables: Any) -> Iterator[Any]:  # type: ignore[override]
        """Yield the results of the pieces."""
        for arguments in zip(*iterables, strict=False):
            start = time.process_time()
            result = fn(*arguments)
            taken = time.process_time() - start
            sent, answered = (len(pickle.dumps(passed)) for passed in (arguments, result))
            self.pieces.append(Piece(fn.args[0].__name__, taken, sent, answered))  # type: ignore[attr-defined]
            yield result


def measured(data: Path, raw: Path) -> tuple[RunReport, list[Piece]]:
    """Load logs, and return the report and the pieces of work.

    Args:
        data: the data folder, which exists.
        raw: the folder of the logs.
    """
    timed = _Timed()

    @contextmanager
    def executor(_: int) -> Iterator[Executor]:
        occupy(Slot(1, _MEMORY_MB))
        yield timed

    settings = Settings.read({"USAGE_RAW": str(raw)}, data_dir=data, workers=_AT_ONCE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "executor", executor)
        return runs.run(settings, instant(NOW), limits=Limits(processes_bytes=0)), timed.pieces
