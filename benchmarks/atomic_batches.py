"""Atomic batches: records that must be visible together or not at all, so that an answer shows whether it is torn.

A batch is what one user did in one workspace: the same usage today, ten and fifty days ago, in at least two months,
loaded by one run and erased by one. Whatever part of it lies in a window, every number is a fixed multiple of the
credits. Pure: reads and writes nothing.

    TornError  numbers that always agree do not agree
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from io import StringIO
from typing import Any, Final
from zlib import crc32

from pipeline.contract.calendar import DAY_US, rfc3339

Data = Mapping[str, Any]

PART_CREDITS: Final = 4  # credits of a batch on each of its days
PART_EVENTS: Final = 2
PARTS: Final = 3
_CREDITS: Final = PART_CREDITS // PART_EVENTS
_PART_DAYS: Final = ((0, 2), (10, 3), (50, 5))  # each part: days ago, and the number of days to choose from
_NEWEST_DAYS: Final = 5  # the last days, which contain today's part in every zone
_MIDDLE_DAYS: Final = 30  # the last days, which also contain the part of ten days ago
_SPREAD_US: Final = 3_600_000_000
_OLD: Final = (200, 20)  # so long ago that retention erases it


class TornError(AssertionError):
    """Raised when numbers that always agree do not agree."""


def batch_lines(workspace_id: str, user_id: str, name: str, now: int, *, old: bool = False) -> Iterator[bytes]:
    """Yield the lines of a batch, or of a batch so old that no range reaches it.

    Args:
        workspace_id: the workspace.
        user_id: the user who acts.
        name: unique among the workspace's batches.
        now: when the batch is written, in microseconds UTC.
        old: write an old batch.
    """
    chance = crc32(name.encode())
    for part, (ago, spread) in enumerate([_OLD] if old else _PART_DAYS):
        moment = now - (ago + chance % spread) * DAY_US - 1 - chance % _SPREAD_US
        for number, locale in enumerate(("de-DE", None)):
            yield json.dumps(_record(workspace_id, user_id, f"{name}.{part}.{number}", moment, locale)).encode() + b"\n"


def _record(workspace_id: str, user_id: str, event_id: str, moment: int, locale: str | None) -> dict[str, Any]:
    used = {"locale": locale, "characters": 10 * _CREDITS, "lines": 3 * _CREDITS, "corrected": _CREDITS}
    return {
        "id": event_id,
        "workspace_id": workspace_id,
        "timestamp": rfc3339(moment),
        "action": "workflow_run",
        "kind": "workflow_execution",
        "resource": {"type": "workflow", "id": "w1", "name": "Übersetzung; =1+1"},
        "user": {"id": user_id, "name": "Ada"},
        "metadata": {"batch": event_id},
        "run": {"id": event_id, "status": "completed"},
        "usage": {"credits": _CREDITS, "audio_ms": 100 * _CREDITS, "languages": [used]},
    }


def require_equal(what: str, *numbers: object) -> None:
    """Check that numbers are equal.

    Raises:
        TornError: they are not.
    """
    if any(number != numbers[0] for number in numbers):
        raise TornError(f"{what}: {', '.join(map(str, numbers))}")


def check_summary(data: Data) -> int:
    """Check that a summary is consistent in itself; return the credits of its range.

    Raises:
        TornError: it is not.
    """
    daily, activity = data["daily"], data["activity"]
    require_equal("days", len(daily), int(data["range"][:-1]))
    require_equal("dates in order", [row["date"] for row in daily], sorted({row["date"] for row in daily}))
    for row in (*daily, *activity["buckets"]):
        require_equal("row", row["credits"] * 10, row["characters"])
        require_equal("row", row["credits"] * 3, row["lines"])
        require_equal("row", row["credits"], row["runs"] * _CREDITS)
    used: int = sum(row["credits"] for row in daily)
    require_equal("characters", used * 10, data["characters"]["total"])
    require_equal("lines", used * 3, data["lines"]["total"])
    require_equal("corrected", used, data["corrected"]["total"])
    require_equal("audio", used * 100, data["audio"]["total_ms"])
    require_equal("runs", used, data["runs"]["total"] * _CREDITS, data["runs"]["completed"] * _CREDITS)
    require_equal("activity", activity["total"], sum(row["credits"] for row in activity["buckets"]))
    require_equal("peak", (activity["peak"] or {"value": 0})["value"], max(b["credits"] for b in activity["buckets"]))
    _require_complete([row["credits"] for row in daily])
    return used


def check_languages(data: Data) -> int:
    """Check that usage by language is consistent in itself; return all of its credits.

    Raises:
        TornError: it is not.
    """
    used = data["total_credits"]
    require_equal("languages", [row["locale_code"] for row in data["languages"]], ["de-de"] if used else [])
    for row in data["languages"]:
        require_equal("language", row["credits"] * 2, data["untagged_credits"] * 2, used)
        require_equal("language", row["credits"] * 10, row["characters"])
        require_equal("language", row["credits"] * 3, row["lines"])
        require_equal("language", row["credits"], row["corrected"])
        require_equal("share", row["share"], 0.5)
    return int(used)


def check_csv_table(text: str, range_: str) -> int:
    """Check that the CSV of a summary's days is consistent in itself; return their credits.

    Raises:
        TornError: it is not.
    """
    rows = list(csv.DictReader(StringIO(text.removeprefix("\ufeff"))))
    require_equal("rows", len(rows), int(range_[:-1]))
    for row in rows:
        require_equal("row", int(row["credits"]) * 10, int(row["characters"]))
        date.fromisoformat(row["date"])
    credits_by_day = [int(row["credits"]) for row in rows]
    _require_complete(credits_by_day)
    return sum(credits_by_day)


def complete_batches(events: Iterable[Data]) -> set[str]:
    """Return the names of the batches that are complete among some events; repeated events are not detected."""
    parts = Counter(event["id"].split(".")[0] for event in events)
    return {name for name, number in parts.items() if number == PARTS * PART_EVENTS}


def _require_complete(credits_by_day: list[int]) -> None:
    """Check that every batch has all the parts that lie in these days, oldest day first."""
    newest = sum(credits_by_day[-_NEWEST_DAYS:])
    require_equal("complete batches", newest % PART_CREDITS, 0)
    require_equal("parts of ten days ago", newest, sum(credits_by_day[-_MIDDLE_DAYS:-_NEWEST_DAYS]))
    if len(credits_by_day) > _MIDDLE_DAYS:
        require_equal("parts of fifty days ago", newest, sum(credits_by_day[:-_MIDDLE_DAYS]))
