"""Find the figures in which another engine is better, and this project's own: results in, figures out."""

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.engines import ENGINES, OURS, SERVED
from benchmarks.results import Result, Run

_RATE = "a second"


class Figure(NamedTuple):
    """One measurement of an engine."""

    what: str
    value: float
    unit: str

    def worse_than(self, other: "Figure") -> float:
        """Return how many times worse this figure is; for rates higher is better, for everything else lower."""
        return other.value / self.value if self.unit == _RATE else self.value / other.value


class Lead(NamedTuple):
    """A figure in which another engine is better than this project, and the best engine's figure."""

    ours: Figure
    title: str
    theirs: Figure

    @property
    def factor(self) -> float:
        """Return how many times better the other engine is."""
        return self.ours.worse_than(self.theirs)


def leads(run: Run) -> list[Lead]:
    """Return the leads of other engines over this project, the greatest first."""
    ours = own(run)
    best: dict[str, Lead] = {}
    for name, result in run.results.items():
        if name in {OURS, SERVED}:
            continue
        for figure in _figures(run, result, keeps_all=ENGINES[name].based_on != OURS):
            if (mine := ours.get(figure.what)) is None:
                continue
            lead = Lead(mine, result.title, figure)
            if lead.factor > max(1, best[figure.what].factor if figure.what in best else 1):
                best[figure.what] = lead
    return sorted(best.values(), key=lambda lead: lead.factor, reverse=True)


def own(run: Run) -> dict[str, Figure]:
    """Return this project's figures by name; answers are from the service over HTTP, if it took part."""
    ours = run.results[OURS]
    served = run.results.get(SERVED, ours)
    whole = Result(ours.title, ours.load, served.asked, served.reading, ours.appended, ours.zone_data)
    return {figure.what: figure for figure in _figures(run, whole, keeps_all=True)}


def _figures(run: Run, result: Result, *, keeps_all: bool) -> Iterator[Figure]:
    if result.load:
        yield Figure("loading", result.load.wall_seconds, "s")
        yield Figure("CPU when loading", result.load.cpu_seconds, "s")
        yield Figure("memory when loading", result.load.peak_mib, "MiB")
    if result.reading:
        yield Figure("memory when asked", result.reading.peak_mib, "MiB")
    if result.appended:
        yield Figure("a batch appended", result.appended.batch_ms, "ms")
        yield Figure("one late event", statistics.median(result.appended.late_ms), "ms")
    if result.asked:
        yield Figure("start to first answer", result.asked.start_ms, "ms")
        if keeps_all:
            yield Figure("bytes on disk", result.asked.bytes_on_disk / 1e6, "MB")
        for timing in result.asked.timings:
            asked = f"{timing.name}, {timing.size} workspace"
            yield Figure(asked, timing.median_ms, "ms")
            yield Figure(f"{asked}, {run.crowd} clients", timing.rate_crowd, _RATE)
        yield Figure("all zones", result.asked.zones.seconds, "s")
