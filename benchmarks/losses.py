"""Where another engine did better than this project: results in, leads out."""

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.contenders import CONTENDERS, OURS, SERVED
from benchmarks.results import Result, Run


class Lead(NamedTuple):
    """One thing in which another engine did better, the best of all."""

    what: str
    ours: float
    title: str
    theirs: float
    unit: str
    factor: float


def leads(run: Run) -> list[Lead]:
    """Return all of them, the greatest first; answers are those of the service over HTTP."""
    best: dict[str, Lead] = {}
    for name, result in run.results.items():
        if name in {OURS, SERVED}:
            continue
        for lead in _against(run, result, keeps_all=CONTENDERS[name].based_on != OURS):
            if lead.factor > max(1, best[lead.what].factor if lead.what in best else 1):
                best[lead.what] = lead
    return sorted(best.values(), key=lambda lead: lead.factor, reverse=True)


def _against(run: Run, result: Result, *, keeps_all: bool) -> Iterator[Lead]:
    ours, served = run.results[OURS], run.results.get(SERVED, run.results[OURS])

    def less(what: str, mine: float, theirs: float, unit: str) -> Lead:
        return Lead(what, mine, result.title, theirs, unit, mine / theirs)

    if ours.load and result.load:
        yield less("loading", ours.load.wall_seconds, result.load.wall_seconds, "s")
        yield less("CPU when loading", ours.load.cpu_seconds, result.load.cpu_seconds, "s")
        yield less("memory when loading", ours.load.peak_mib, result.load.peak_mib, "MiB")
    if served.reading and result.reading:
        yield less("memory when asked", served.reading.peak_mib, result.reading.peak_mib, "MiB")
    if ours.appended and result.appended:
        yield less("a batch appended", ours.appended.batch_ms, result.appended.batch_ms, "ms")
        mine, theirs = (statistics.median(appended.late_ms) for appended in (ours.appended, result.appended))
        yield less("one late event", mine, theirs, "ms")
    if served.asked and result.asked:
        yield less("start to first answer", served.asked.start_ms, result.asked.start_ms, "ms")
        if keeps_all:
            size, other = served.asked.bytes_on_disk / 1e6, result.asked.bytes_on_disk / 1e6
            yield less("bytes on disk", size, other, "MB")
        timings = {(timing.name, timing.size): timing for timing in served.asked.timings}
        for timing in result.asked.timings:
            own = timings[timing.name, timing.size]
            asked = f"{timing.name}, {timing.size} workspace"
            yield less(asked, own.median_ms, timing.median_ms, "ms")
            rate, other = own.rate_crowd, timing.rate_crowd
            yield Lead(f"{asked}, {run.crowd} clients", rate, result.title, other, "a second", other / rate)
