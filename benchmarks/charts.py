"""Draw the charts of the benchmark page: results in, SVG files out."""

from pathlib import Path
from typing import Any, Final

import altair as alt

from benchmarks.engines import OURS, SERVED
from benchmarks.results import Run

_WIDTH: Final = 190
_OURS_COLOUR: Final = "#c2410c"
_OTHERS_COLOUR: Final = "#64748b"
_POWERS: Final = alt.Axis(values=[10.0**exponent for exponent in range(-3, 6)], format="~g")
_LOG: Final = alt.Scale(type="log")
_MEASURES: Final = {"batch_ms": "batch appended", "summary_ms": "summary", "feed_ms": "feed, first page"}


def answers(run: Run, path: Path) -> None:
    """Draw the latency of each question about the largest workspace, for one client."""
    rows = [
        {"engine": result.title, "question": timing.name, "ms": timing.median_ms, "ours": name in {OURS, SERVED}}
        for name, result in run.results.items()
        if result.asked
        for timing in result.asked.timings
        if timing.size == "largest"
    ]
    colours = alt.Scale(domain=[True, False], range=[_OURS_COLOUR, _OTHERS_COLOUR])
    points = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=70, opacity=1)
        .encode(
            x=alt.X("ms:Q", scale=_LOG, axis=_POWERS, title="ms, median"),
            y=alt.Y("engine:N", sort=None, title=None, axis=alt.Axis(labelLimit=260, grid=True)),
            color=alt.Color("ours:N", scale=colours, legend=None),
        )
        .properties(width=_WIDTH)
    )
    _save(_beside(points, "question", [row["question"] for row in rows]), path)


def history(run: Run, path: Path) -> None:
    """Draw how long an appended batch and answers take as the history grows."""
    rows = [
        {"engine": run.results[row.engine].title, "days": row.days, "what": what, "ms": getattr(row.appended, field)}
        for row in run.grown
        for field, what in _MEASURES.items()
    ]
    lines = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("days:Q", title="days of history"),
            y=alt.Y("ms:Q", scale=_LOG, axis=_POWERS, title="ms"),
            color=alt.Color("engine:N", sort=None, title=None, legend=alt.Legend(labelLimit=260)),
        )
        .properties(width=_WIDTH)
    )
    _save(_beside(lines, "what", list(_MEASURES.values())), path)


def _beside(chart: Any, field: str, order: list[Any]) -> Any:
    """Return one chart for each value of a field, side by side."""
    return chart.facet(column=alt.Column(f"{field}:N", sort=list(dict.fromkeys(order)), title=None))


def _save(chart: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    chart.configure(background="white").save(str(path))
