"""Write the tables of docs/scale.md: the JSON of `benchmarks.scale` in, Markdown out.

    python -m benchmarks.scale.report RESULTS.json PAGE.md

Replaces the tables that have the same first lines. Every number comes from the results.
"""

import re
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.scale import sizing
from benchmarks.scale.commits import FILES, WORKSPACES
from benchmarks.scale.place import Taken
from benchmarks.scale.results import Results

_RUNS: Final = {
    "folder": "logs and tables in folders",
    "tables": "tables on the object store",
    "objects": "logs and tables on the object store",
    "cluster": "the same, on two Dask workers",
}


def page(text: str, results: Results) -> str:
    """Return a page with the tables of these results."""
    for table in (figures, runs, costs, day):
        head, *rows = table(results)
        before, found, after = text.partition(head + "\n")
        if not found:
            raise ValueError(f"the page has no table {head}")
        text = before + "".join(f"{row}\n" for row in (head, *rows)) + re.sub(r"\A(\|.*\n)*", "", after)
    return text


def figures(results: Results) -> list[str]:
    """Return the table of figures with goals."""
    taken = results.runs
    rows = [
        *_ratio("two warm Dask workers ÷ the process pool, logs and tables on the object store", taken["cluster"],
                taken["objects"], "1.1"),
        *_ratio("tables on the object store ÷ in a folder, a run of two processes", taken["tables"], taken["folder"],
                "1.5"),
    ]  # fmt: skip
    if results.before:
        now, before = results.before["now"], results.before["before"]
        rows += _ratio("a run on a folder ÷ before there were object stores", now, before, "1.0")
    rows += [
        f"| {one.pieces:,} pieces replayed, slots: {one.slots}; share of their time at work | {one.share:.0%},"
        f" of {one.possible:.0%} that these pieces allow | 90 % |"
        for one in results.replays
    ]
    flips, wholes = [one.flip_ms for one in results.commits], [one.whole_ms for one in results.commits]
    rows += [
        f"| the flip of a commit of {FILES:,} objects of {WORKSPACES} workspaces | {_median(flips):.1f} ms | 100 ms |",
        f"| the whole commit, with the shards of the index | {_median(wholes):,.0f} ms | |",
    ]
    cold = {name: [one.cpu_ms for one in rounds] for name, rounds in results.cold.items()}
    rows += [
        f"| a workspace's first summary, from copies on disk, CPU time | {_median(cold['objects']):.1f} ms | 15 ms |",
        f"| the same from a folder | {_median(cold['folder']):.1f} ms | |",
    ]
    return ["| what | measured | goal |", "|---|---|---|", *rows]


def runs(results: Results) -> list[str]:
    """Return the table of runs."""
    rows = [_run(title, results.runs[name]) for name, title in _RUNS.items()]
    head = (
        "| a run of the sample | shortest, median | CPU time | of the store | PUT | GET | bytes to and from the store |"
    )
    return [head, "|---|---|---|---|---|---|---|", *rows]


def costs(results: Results) -> list[str]:
    """Return the table of the costs of pieces."""
    found = results.costs
    assert found is not None, "measure `costs`"  # noqa: S101 - an internal error
    return [
        "| what | CPU time | bytes |",
        "|---|---|---|",
        f"| a million lines read, validated and shuffled | {found.read_s:.1f} s | {found.line_bytes:.0f} a line |",
        f"| a million lines merged, and written as new rows | {found.merge_s:.1f} s | {found.row_bytes:.0f} a row |",
        f"| a million stored rows, merged and written again | {found.stored_s:.1f} s | {found.row_bytes:.0f} a row |",
        f"| a new partition file, besides its rows | {found.new_file_ms:.1f} ms | |",
        f"| a stored partition file that is read and written again, besides its rows | {found.file_ms:.1f} ms | |",
        f"| cube and actors of a workspace's month, read and written again | {found.month_ms:.1f} ms | |",
    ]


def day(results: Results) -> list[str]:
    """Return the table of a large day."""
    found = results.costs
    assert found is not None, "measure `costs`"  # noqa: S101 - an internal error
    days = {f"{commits:,}": sizing.day(found, commits) for commits in sizing.COMMITS}
    days["288, with a file for each hour (not built)"] = sizing.day(found, sizing.COMMITS[0], hourly=True)
    head = (
        "| commits a day | slots for one so large | busy cores: new lines, stored rows, files | machines |"
        " written a day | PUT a day | GET a day | requests a day |"
    )
    rows = [
        f"| {name} | {one.slots:,} | {one.lines_cores:.1f} + {one.stored_cores:.1f} + {one.files_cores:.1f}"
        f" | {one.machines} | {one.written_tb:,.1f} TB | {one.puts / 1e6:,.1f} M | {one.gets / 1e6:,.1f} M"
        f" | ${one.dollars:,.0f} |"
        for name, one in days.items()
    ]
    return [head, "|---|---|---|---|---|---|---|---|", *rows]


def _ratio(what: str, ours: Sequence[Taken], others: Sequence[Taken], goal: str) -> list[str]:
    def ratio(cost: Callable[[Taken], float]) -> float:
        return _median([cost(one) / cost(other) for one, other in zip(ours, others, strict=True)])

    shortest = min(one.wall for one in ours) / min(one.wall for one in others)
    wall, cpu = ratio(lambda one: one.wall), ratio(lambda one: one.cpu)
    return [f"| {what} | {wall:.2f} (shortest runs {shortest:.2f}, CPU time {cpu:.2f}) | {goal} |"]


def _run(title: str, taken: Sequence[Taken]) -> str:
    walls, last = [one.wall for one in taken], taken[-1]
    cpu, store = _median([one.cpu for one in taken]), _median([one.store for one in taken])
    puts, gets = last.requests.get("PUT", 0), last.requests.get("GET", 0)
    return (
        f"| {title} | {min(walls):.1f}, {_median(walls):.1f} s | {cpu:.1f} s | {store:.1f} s | {puts:,} | {gets:,} |"
        f" {last.traffic / 1e6:,.0f} MB |"
    )


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def main() -> None:
    """Write the tables."""
    results, target = map(Path, sys.argv[1:])
    found = msgspec.json.decode(results.read_bytes(), type=Results)
    target.write_text(page(target.read_text("utf-8"), found), "utf-8")


if __name__ == "__main__":
    main()
