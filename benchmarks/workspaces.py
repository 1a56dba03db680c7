"""Which workspaces the engines are asked about, and what: a small one, one in the middle, the largest.

Reads the events of this project's tables, to know how many there are and where the middle of the feed is.
"""

from pathlib import Path
from typing import NamedTuple

import duckdb

from benchmarks.questions import Question, every_zone, usual
from benchmarks.steps import Asking
from pipeline.contract import calendar

SIZES = ("largest", "middle", "small")


class Workspace(NamedTuple):
    """A workspace, its events in 90 UTC days, and the one in the middle of them."""

    id: str
    events: int
    middle: tuple[int, str]


def chosen(folder: Path, now: int) -> dict[str, Workspace]:
    """Return the workspaces by what they are called: of those with events in 90 days, by their number."""
    start, *_ = calendar.range_days("UTC", "90d", calendar.today("UTC", now))
    rows = duckdb.execute(
        (Path(__file__).with_name("workspaces.sql")).read_text("utf-8"),
        {"files": str(folder / "events/*/*/events.parquet"), "since": start},
    ).fetchall()
    places = (0, len(rows) // 2, len(rows) - 1)
    return {
        size: Workspace(id_, events, (timestamp, event_id))
        for size, (id_, events, timestamp, event_id) in zip(SIZES, (rows[place] for place in places), strict=True)
    }


def asked_of(workspaces: dict[str, Workspace], now: int) -> tuple[list[Asking], list[Question]]:
    """Return what is asked of each, and what of the largest in each zone."""
    questions = [
        Asking(size, question)
        for size, workspace in workspaces.items()
        for question in usual(workspace.id, now, workspace.middle)
    ]
    return questions, every_zone(workspaces[SIZES[0]].id, now)
