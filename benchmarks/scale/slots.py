"""The pieces of work of a large slice, replayed on a cluster of more slots than this machine has cores.

A replayed piece sleeps for as long as the real one took, and its arguments and its result are as large: what is
measured is what the cluster and its adapter add, and how well the pieces share the slots. As in a run, a step begins
when all pieces of the step before have answered.
"""

import heapq
import math
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from benchmarks.scale.pieces import Piece
from pipeline.load.cluster.dask import connected
from pipeline.load.job import DEFAULT_LIMITS
from tests.support.dask_cluster import Cluster, each
from tests.support.project import ROOT

_THREADS = 16  # of a worker


class Replay(msgspec.Struct, frozen=True):
    """A replay.

    Attributes:
        slots: how many pieces ran at once.
        pieces: how many there were.
        seconds: of all pieces together.
        wall: seconds from start to end.
        best: seconds that the pieces need in any case, since some slots have none at the end of each step.
    """

    slots: int
    pieces: int
    seconds: float
    wall: float
    best: float = 0

    @property
    def share(self) -> float:
        """Return the share of the slots' time that was spent in pieces."""
        return self.seconds / self.wall / self.slots

    @property
    def possible(self) -> float:
        """Return the share that these pieces allow."""
        return self.seconds / self.best / self.slots


def slice_of(pieces: Sequence[Piece], logs: int, slots: int) -> list[Piece]:
    """Return the pieces of a whole slice for some slots, by step, from those of so many bytes of `logs`."""
    limits = DEFAULT_LIMITS
    times = math.ceil(limits.slice_bytes * max(1, slots // limits.slice_slots) / logs)
    return [piece for _, step in groupby(pieces, lambda piece: piece.step) for piece in [*step] * times]


def replay(folder: Path, slots: int, pieces: Sequence[Piece]) -> Replay:
    """Replay pieces on a new cluster.

    Args:
        folder: for the files of the cluster; created.
        slots: how many pieces run at once.
        pieces: ordered by step.
    """
    folder.mkdir()
    cluster = Cluster(folder, {"PYTHONPATH": str(ROOT)})
    try:
        threads = min(slots, _THREADS)
        for _ in range(slots // threads):
            cluster.add_worker(threads=threads)
        with connected(cluster.address) as (pool, at_once):
            if at_once != slots:
                raise RuntimeError(f"{at_once} slots instead of {slots}")
            list(each(pool, _replayed, [(0.0, b"", 0)] * slots))  # so that all workers have imported what they need
            start = time.perf_counter()
            for _, step in groupby(pieces, lambda piece: piece.step):
                list(each(pool, _replayed, [(piece.seconds, bytes(piece.sent), piece.answered) for piece in step]))
            wall = time.perf_counter() - start
    finally:
        cluster.end()
    return Replay(slots, len(pieces), sum(piece.seconds for piece in pieces), wall, best(pieces, slots))


def best(pieces: Sequence[Piece], slots: int) -> float:
    """Return the seconds that pieces take if each slot takes the next one at once, step by step."""
    total = 0.0
    for _, step in groupby(pieces, lambda piece: piece.step):
        ends = [0.0] * slots
        for piece in step:
            heapq.heapreplace(ends, ends[0] + piece.seconds)
        total += max(ends)
    return total


def _replayed(piece: tuple[float, bytes, int]) -> bytes:
    seconds, _, answered = piece
    time.sleep(seconds)
    return bytes(answered)
