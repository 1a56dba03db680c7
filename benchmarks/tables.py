"""Write the tables of the benchmark page: results in, Markdown out."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Final

from benchmarks.engines import HOURS, OURS
from benchmarks.figures import Figure, leads, own
from benchmarks.measuring import Cost
from benchmarks.results import Appended, Asked, Run, ZoneData

_NONE: Final = "–"
_GROWN: Final = {"batch": "batch_ms", "summary": "summary_ms", "feed": "feed_ms"}
_FEW: Final = 12  # zones that are listed by name


def load(run: Run) -> str:
    """Return the cost of loading, the size on disk, and the memory of answering, by engine."""
    ours = _cost(run.results[OURS].load).wall_seconds
    rows = []
    for result in run.results.values():
        if not result.asked:
            continue
        cells = [_NONE] * 4
        if cost := result.load:
            wall, ratio, cpu = _seconds(cost.wall_seconds), _ratio(cost.wall_seconds / ours), _seconds(cost.cpu_seconds)
            cells = [wall, ratio, cpu, f"{cost.peak_mib:,.0f}"]
        size, memory = result.asked.bytes_on_disk, _cost(result.reading).peak_mib
        rows.append([result.title, *cells, f"{size / 1e6:,.1f}", f"{memory:,.0f}"])
    heads = ["", "wall s", "÷ ours", "CPU s", "peak MiB", "MB on disk", "peak MiB when asked"]
    return table(heads, rows)


def answers(run: Run, size: str) -> str:
    """Return the latencies of one client by engine and question, with the ratio to this project's."""
    asked = {name: result.asked for name, result in run.results.items() if result.asked}
    names = _question_names(run)
    ours = {t.name: t for t in _asked(run, OURS).timings if t.size == size}
    rows = []
    for name, answered in asked.items():
        timings = {t.name: t for t in answered.timings if t.size == size}
        cells = [
            f"{_ms(timings[q].median_ms)} ({_ms(timings[q].p99_ms)}) {_ratio(timings[q].median_ms / ours[q].median_ms)}"
            for q in names
        ]
        rows.append([run.results[name].title, *cells])
    return table(["", *names], rows)


def throughput(run: Run, size: str) -> str:
    """Return the answers per second of one client and of many at once, by engine and question."""
    names = _question_names(run)
    rows = []
    for result in run.results.values():
        if result.asked:
            timings = {t.name: t for t in result.asked.timings if t.size == size}
            rows.append([result.title, *(f"{_rate(timings[q].rate)} → {_rate(timings[q].rate_crowd)}" for q in names)])
    return table(["", *names], rows)


def zones(run: Run) -> str:
    """Return how long one summary in every zone takes, by engine."""
    ours = _asked(run, OURS).zones.seconds
    rows = [
        [
            result.title,
            _seconds(result.asked.zones.seconds),
            _ratio(result.asked.zones.seconds / ours),
            _ms(result.asked.zones.median_ms),
            _ms(result.asked.zones.p99_ms),
        ]
        for result in run.results.values()
        if result.asked
    ]
    return table(["", f"all {_asked(run, OURS).zones.questions} zones, s", "÷ ours", "median ms", "p99 ms"], rows)


def fresh(run: Run) -> str:
    """Return how long it takes until an answer shows an appended log, and from the start to the first answer."""
    rows = []
    for result in run.results.values():
        if result.asked:
            late = _late(result.appended) if result.appended else None
            batch = _ms(result.appended.batch_ms) if result.appended else _NONE
            rows.append([result.title, _ms(late) if late else _NONE, batch, _ms(result.asked.start_ms)])
    lines = next(result.appended.batch_lines for result in run.results.values() if result.appended)
    return table(["", "one late event, ms", f"{lines:,} lines, ms", "start to first answer, ms"], rows)


def grown(run: Run) -> str:
    """Return how long appending and answering take with histories of different lengths, by engine."""
    days = sorted({row.days for row in run.grown})
    rows = []
    for name in dict.fromkeys(row.engine for row in run.grown):
        by_days = {row.days: row.appended for row in run.grown if row.engine == name}
        for what, field in _GROWN.items():
            taken: list[float] = [getattr(by_days[number], field) for number in days]
            rows.append([run.results[name].title, what, *(f"{_ms(ms)} {_ratio(ms / taken[0])}" for ms in taken)])
    return table(["", "", *(f"{number} days, ms" for number in days)], rows)


def zone_data(run: Run) -> str:
    """Return the numbers that are wrong if an engine computes local days itself or from its roll-up by hours."""
    rows = []
    for name, result in run.results.items():
        if result.zone_data:
            how = "roll-up cut at its hours" if name == HOURS else "its own zone data"
            rows.append([result.title, how, *_wrong(result.zone_data), _ms(result.zone_data.median_ms)])
    return table(["", "", "zones unknown", "zones wrong", "numbers wrong", "which", "median ms"], rows)


def losses(run: Run) -> str:
    """Return all figures in which another engine is better than this project, with the best engine."""
    rows = [
        [lead.ours.what, _figure(lead.ours), _figure(lead.theirs), lead.title, _ratio(lead.factor)]
        for lead in leads(run)
    ]
    return table(["", "this project", "the best", "which is", "better by"], rows) if rows else "Nothing."


def progress(run: Run, before: Run) -> str:
    """Return this project's earlier and present figures, most improved first."""
    earlier, now = own(before), own(run)
    pairs = sorted(
        ((earlier[what], now[what]) for what in now if what in earlier), key=lambda pair: -pair[0].worse_than(pair[1])
    )
    rows = [[new.what, _figure(old), _figure(new), _ratio(old.worse_than(new))] for old, new in pairs]
    return table(["", "before", "now", "better by"], rows)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _wrong(data: ZoneData) -> list[str]:
    wrong = sum(data.differing.values())
    worst = sorted(data.differing, key=lambda zone: (-data.differing[zone], zone))
    named = ", ".join(worst[:_FEW]) + (f" and {len(worst) - _FEW} more" if len(worst) > _FEW else "")
    return [str(len(data.unknown)), f"{len(worst)} of {data.zones}", f"{wrong:,} of {data.numbers:,}", named or _NONE]


def _question_names(run: Run) -> list[str]:
    return list(dict.fromkeys(timing.name for timing in _asked(run, OURS).timings))


def _asked(run: Run, name: str) -> Asked:
    asked = run.results[name].asked
    assert asked is not None, name  # noqa: S101 - every run asks this project
    return asked


def _cost(cost: Cost | None) -> Cost:
    assert cost is not None, "not measured"  # noqa: S101 - as above
    return cost


def _late(appended: Appended) -> float:
    return statistics.median(appended.late_ms)


def _figure(figure: Figure) -> str:
    return f"{_ms(figure.value)} {figure.unit}"


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004 - two digits


def _seconds(value: float) -> str:
    return f"{value:,.1f}" if value >= 1 else f"{value:.2f}"


def _ratio(value: float) -> str:
    return f"× {value:,.0f}" if value >= 10 else f"× {value:.2g}"  # noqa: PLR2004 - two digits
