"""Write the benchmark page: the JSON of `benchmarks.comparison` in, Markdown and charts out.

    python -m benchmarks.report RESULTS.json PAGE.md [BEFORE.json]

The charts go to a folder beside the page, of the same name. Every number comes from the results. Results of an earlier
version of this project are shown beside the new ones if both are of the same machine and the same logs.
"""

import sys
from pathlib import Path
from string import Template
from typing import Final

import msgspec

from benchmarks import tables
from benchmarks.engines import ENGINES, OURS
from benchmarks.results import Asked, Comparison, Run, ZoneRollup

_TEMPLATE: Final = Template(Path(__file__).with_suffix(".md.txt").read_text("utf-8"))
_RUN_TEMPLATE: Final = Template(Path(__file__).with_name("report_run.md.txt").read_text("utf-8"))
_PROGRESS_TEMPLATE: Final = Template(Path(__file__).with_name("report_progress.md.txt").read_text("utf-8"))


def page(comparison: Comparison, charts: str, before: Comparison | None) -> str:
    """Return the page; `charts` is the relative link to the folder of its charts."""
    machine, largest = comparison.machine, comparison.runs[-1]
    head = _TEMPLATE.substitute(
        msgspec.structs.asdict(machine),
        taken=comparison.taken,
        minutes=f"{comparison.minutes:,.0f}",
        packages=", ".join(f"{name} {version}" for name, version in machine.packages.items()),
        zone_data=comparison.zone_data,
        busy=_busy(comparison),
        skipped=_skipped(largest.skipped),
        largest=largest.events,
        equal=f"{_asked(largest).equal:,}",
        zones=_asked(largest).zones.questions,
        harness_mib=f"{largest.harness_mib:,.0f}",
    )
    return head + "".join(_run(run, charts) + _progress(run, comparison, before) for run in comparison.runs)


def answers_chart(run: Run) -> str:
    """Return the file name of the chart of answers."""
    return f"answers-{run.events}.svg"


def history_chart(run: Run) -> str:
    """Return the file name of the chart of histories."""
    return f"history-{run.events}.svg"


def _run(run: Run, charts: str) -> str:
    return _RUN_TEMPLATE.substitute(
        {size: f"{events:,}" for size, events in run.sizes.items()},
        events=f"{run.events:,}",
        lines=f"{run.lines:,}",
        mb=f"{run.clean_bytes / 1e6:,.0f}",
        workspaces=run.workspaces,
        days=run.days,
        crowd=run.crowd,
        load=tables.load(run),
        answers_chart=f"{charts}/{answers_chart(run)}",
        **{f"answers_{size}": tables.answers(run, size) for size in run.sizes},
        throughput=tables.throughput(run, next(iter(run.sizes))),
        zones=tables.zones(run),
        fresh=tables.fresh(run),
        zone_rollup=_zone_rollup(run.zone_rollup, _asked(run).zones.questions),
        history_chart=f"{charts}/{history_chart(run)}",
        grown=tables.grown(run),
        zone_data=tables.zone_data(run),
        losses=tables.losses(run),
    )


def _asked(run: Run) -> Asked:
    asked = run.results[OURS].asked
    assert asked is not None, "every run asks this project"  # noqa: S101 - an internal error
    return asked


def _progress(run: Run, comparison: Comparison, before: Comparison | None) -> str:
    """Return the section on changes since an earlier version; empty if its machine or its logs differ."""
    if before is None or _place(before) != _place(comparison):
        return ""
    earlier = [old for old in before.runs if _logs(old) == _logs(run)]
    return "".join(
        _PROGRESS_TEMPLATE.substitute(events=f"{run.events:,}", taken=before.taken, progress=tables.progress(run, old))
        for old in earlier
    )


def _place(comparison: Comparison) -> tuple[str, int]:
    return comparison.machine.processor, comparison.machine.cores


def _logs(run: Run) -> tuple[int, int, int]:
    return run.events, run.workspaces, run.days


def _zone_rollup(rollup: ZoneRollup | None, zones: int) -> str:
    if rollup is None:
        return ""
    return (
        f"A roll-up by local days, one for each zone, as it is often done: that of {rollup.zone} takes PostgreSQL"
        f" {rollup.seconds:,.2f} s and {rollup.bytes / 1e6:,.1f} MB. For {zones} zones that would be"
        f" {rollup.seconds * zones / 60:,.1f} minutes and {rollup.bytes * zones / 1e9:,.2f} GB, once more for each zone"
        " that a release of the zone data changes."
    )


def _busy(comparison: Comparison) -> str:
    if comparison.busy is None:
        return "How busy the machine was is not known."
    noisy = " Times vary then, by half and more." if comparison.busy >= comparison.machine.cores else ""
    return f"The load average was {comparison.busy:.1f} when it began.{noisy}"


def _skipped(skipped: dict[str, str]) -> str:
    return " ".join(f"Left out: {ENGINES[name].title} ({reason})." for name, reason in skipped.items())


def _comparison(path: Path) -> Comparison:
    return msgspec.json.decode(path.read_bytes(), type=Comparison)


def main() -> None:
    """Write the page and its charts."""
    from benchmarks import charts  # noqa: PLC0415 - the page itself does not need the drawing library

    results, target, *earlier = map(Path, sys.argv[1:])
    comparison, *before = map(_comparison, [results, *earlier])
    folder = target.with_suffix("")
    for run in comparison.runs:
        charts.answers(run, folder / answers_chart(run))
        charts.history(run, folder / history_chart(run))
    target.write_text(page(comparison, folder.name, before[0] if before else None), "utf-8")


if __name__ == "__main__":
    main()
