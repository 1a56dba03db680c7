"""The first answer about a workspace whose files a service has on its disk, but not in its memory.

Starts `usage serve` on tables on an object store and on the same tables in a folder, and asks for one summary of each
workspace. Then it restarts them, so that nothing is in memory, and asks again: that is what is measured.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.load import NOW
from benchmarks.measuring import family
from benchmarks.read import SUMMARY
from benchmarks.scale.place import processor_seconds
from benchmarks.serving import Process, ask, served


class Cold(msgspec.Struct, frozen=True):
    """The first summaries of all workspaces after a restart: medians in milliseconds."""

    cpu_ms: float
    wall_ms: float


def cold(data: str, cache: Path, keys: Sequence[str], rounds: int) -> list[Cold]:
    """Return what the first summaries cost after each of some restarts.

    Args:
        data: the data folder, or the location of the tables.
        cache: for copies of objects.
        keys: an API key of each workspace.
        rounds: how often the service is restarted.
    """
    found = []
    for number in range(rounds + 1):
        with served(data, NOW, settings={"USAGE_CACHE_DIR": str(cache)}) as server:
            _asked(server, keys[0])  # imports what the first answer of a process needs
            taken = [_asked(server, key) for key in keys[1:]]
        if number:  # before, the copies are fetched
            cpu, wall = (statistics.median(column) for column in zip(*taken, strict=True))
            found.append(Cold(cpu, wall))
    return found


def _asked(server: Process, key: str) -> tuple[float, float]:
    """Return the milliseconds of processor time and of time that a summary takes."""
    (worker,) = family(server.pid)[1:]
    before = processor_seconds(worker)
    wall, _ = ask(server, SUMMARY, key)
    return (processor_seconds(worker) - before) * 1000, wall
