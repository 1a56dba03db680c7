"""Choose the workspaces that the engines are asked about: the largest, the middle and a small one.

Reads the events of this project's tables to count them and to find the middle of each feed.
"""

from pathlib import Path
from typing import NamedTuple

import duckdb

from benchmarks.questions import Question, every_zone, usual
from benchmarks.steps import Asking
from pipeline.contract import calendar

SIZES = ("largest", "middle", "small")


class Workspace(NamedTuple):
    """A workspace."""

    id: str
    events: int  # in the last 90 UTC days
    middle: tuple[int, str]  # (microseconds UTC, id) of the event in the middle of them


def choose(folder: Path, now: int) -> dict[str, Workspace]:
    """Return one workspace for each of `SIZES`, by the number of events in 90 days before `now` (microseconds UTC)."""
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


def questions_about(workspaces: dict[str, Workspace], now: int) -> tuple[list[Asking], list[Question]]:
    """Return the questions about each workspace, and those about the largest in every zone."""
    questions = [
        Asking(size, question)
        for size, workspace in workspaces.items()
        for question in usual(workspace.id, now, workspace.middle)
    ]
    return questions, every_zone(workspaces[SIZES[0]].id, now)
