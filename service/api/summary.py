"""`/usage/summary`: what a workspace used in a range, in buckets and by day, and the caller's own credits.

A request may include a comparison with the range before, and the pace of the caller's billing period.

Reads the cube of the workspace through `tables.windows`, and the actors of every workspace that lists the caller
through `tables.billing`.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache, partial
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from pipeline.contract import calendar
from pipeline.contract.calendar import QUARTER_US, Bucket, Range, View
from pipeline.contract.tables import STATUSES
from service.api import comparison, envelope
from service.api.comparison import Comparison
from service.api.envelope import Count, Instant, Period, boundary, quotient
from service.api.pace import Pace, pace
from service.api.parameters import SummaryParameters
from service.auth.authentication import Caller
from service.auth.directory import Directory
from service.tables import billing, windows
from service.tables.snapshots import Snapshot
from service.tables.source import gathered
from service.tables.windows import Windows

_UNITS: Final[dict[View, Literal["day", "week", "month"]]] = {"daily": "day", "weekly": "week", "monthly": "month"}
_RANGE_LABELS: Final[dict[View, str]] = {
    "daily": "Last 7 days",
    "weekly": "Last 12 weeks",
    "monthly": "Last 12 months",
}


class Included(msgspec.Struct, frozen=True):
    """The parts that a request includes, and what they depend on."""

    comparison: bool
    pace: bool
    quarter: int  # the start of the present UTC quarter-hour, in microseconds
    renews: bool  # whether the caller's credits do


# What is left out by default is not part of the entity tag either.
class Question(envelope.Question, frozen=True, omit_defaults=True):
    """Everything that the answer depends on."""

    workspace_id: str
    range: Range
    activity_view: View
    timezone: str
    today: date
    user_id: str
    user_workspaces: tuple[str, ...]
    quota: int | None
    billing_period: tuple[int, int]
    included: Included | None = None

    @property
    def until(self) -> int:
        """Return the start of the next local day or billing period; of the next quarter-hour if that matters."""
        ends = min(calendar.day_start(self.timezone, self.today + timedelta(days=1)), self.billing_period[1])
        return ends if self.included is None else min(ends, self.included.quarter + QUARTER_US)

    @property
    def as_table(self) -> "Question":
        """Return the question without the parts that CSV does not have."""
        return self if self.included is None else msgspec.structs.replace(self, included=None)


class Credits(msgspec.Struct, frozen=True):
    """The caller's own credits in their billing period, in all workspaces that list them.

    If the credits of their account do not renew, the period is from its anchor on, and the quota is for all of it.
    """

    used: Count
    quota: Count | None
    percent: float | None
    pace: Pace | UnsetType | None = UNSET  # only if it is included; null if the credits do not renew


class Total(msgspec.Struct, frozen=True):
    """One number of the range."""

    total: Count


class Lines(msgspec.Struct, frozen=True):
    """Lines of the range. The average is null without lines."""

    total: Count
    avg_chars_per_line: float | None


class Audio(msgspec.Struct, frozen=True):
    """Audio of the range. Runs that have not ended are left out."""

    total_ms: Count


class Runs(msgspec.Struct, frozen=True):
    """Runs of the range by their latest status."""

    total: Count
    completed: Count
    failed: Count
    cancelled: Count
    running: Count
    pending: Count
    paused: Count


class Day(msgspec.Struct, frozen=True):
    """One local day."""

    date: str
    credits: Count
    characters: Count
    lines: Count
    runs: Count


class ActivityBucket(msgspec.Struct, frozen=True):
    """One bucket of the view."""

    label: str
    start: Instant
    end: Instant
    credits: Count
    characters: Count
    lines: Count
    runs: Count


class Peak(msgspec.Struct, frozen=True):
    """The bucket with the most credits, on a tie the earliest."""

    value: Count
    label: str
    start: Instant
    end: Instant


class Activity(msgspec.Struct, frozen=True):
    """The activity chart: the buckets of the view, oldest first, and their credits."""

    view: View
    bucket_unit: Literal["day", "week", "month"]
    range_label: str
    total: Count
    avg: float
    peak: Peak | None
    buckets: list[ActivityBucket]


class Summary(msgspec.Struct, frozen=True):
    """The whole answer."""

    range: Range
    activity_view: View
    timezone: str
    period: Period
    credits: Credits
    characters: Total
    corrected: Total
    lines: Lines
    audio: Audio
    runs: Runs
    activity: Activity
    daily: list[Day]
    comparison: Comparison | UnsetType = UNSET  # only if it is included


def ask(parameters: SummaryParameters, caller: Caller, directory: Directory, now: int) -> Question:
    """Return the question of a request at one instant."""
    account = directory.accounts.get(caller.user_id)
    anchor, renews = (account.anchor, account.renews) if account else (None, True)
    return Question(
        workspace_id=str(caller.workspace_id),
        range=parameters.range,
        activity_view=parameters.activity_view,
        timezone=parameters.timezone,
        today=calendar.today(parameters.timezone, now),
        user_id=caller.user_id,
        user_workspaces=directory.workspaces_of(caller.user_id),
        quota=account.quota if account else None,
        billing_period=billing.period(anchor, now, renews=renews),
        included=_included(parameters, now, renews=renews),
    )


def _included(parameters: SummaryParameters, now: int, *, renews: bool) -> Included | None:
    parts = parameters.include
    return Included("comparison" in parts, "pace" in parts, now - now % QUARTER_US, renews) if parts else None


def answer(question: Question, snapshot: Snapshot) -> Summary:
    """Compute the answer from the tables."""
    boundaries = calendar.range_days(question.timezone, question.range, question.today)
    buckets = calendar.view_buckets(question.timezone, question.activity_view, question.today)
    starts = [*(bucket.start for bucket in buckets), buckets[-1].end]
    compared = _compared(question, snapshot)
    series = [boundaries, starts, *(compared.kept if compared else ())]
    days, used, *others = snapshot.read(question.workspace_id, lambda workspace: windows.between(workspace, *series))
    return Summary(
        range=question.range,
        activity_view=question.activity_view,
        timezone=question.timezone,
        period=Period.of(boundaries[0], boundaries[-1]),
        credits=_credits(question, snapshot),
        **totals(days),
        activity=_activity(question.activity_view, buckets, used),
        daily=daily(_dates(question.range, question.today), days),
        comparison=comparison.compare(compared, others) if compared else UNSET,
    )


def totals(days: Windows) -> dict[str, Any]:
    """Return the fields `characters`, `corrected`, `lines`, `audio` and `runs` of an answer, over all days."""
    characters, lines = days.totals["characters"], days.totals["lines"]
    return {
        "characters": Total(characters),
        "corrected": Total(days.totals["corrected"]),
        "lines": Lines(lines, quotient(characters, lines, 1) if lines else None),
        "audio": Audio(days.totals["audio_ms"]),
        "runs": Runs(sum(days.runs), **{status: days.totals[f"runs_{status}"] for status in STATUSES}),
    }


def daily(dates: Sequence[str], used: Windows) -> list[Day]:
    """Return the field `daily` of an answer: what was used on each date."""
    return [Day(*row) for row in zip(dates, used.credits, used.characters, used.lines, used.runs, strict=True)]


def _compared(question: Question, snapshot: Snapshot) -> comparison.Compared | None:
    included = question.included
    if included is None or not included.comparison:
        return None
    return comparison.windows(question.timezone, question.range, question.today, included.quarter, snapshot.published)


def _credits(question: Question, snapshot: Snapshot) -> Credits:
    start, end = question.billing_period

    def used_in(workspace_id: str) -> int:
        return snapshot.read(workspace_id, lambda workspace: billing.used(workspace, question.user_id, start, end))

    used = sum(gathered(partial(used_in, workspace_id) for workspace_id in question.user_workspaces))
    percent = min(quotient(100 * used, question.quota, 2), 100.0) if question.quota else None
    return Credits(used, question.quota, percent, _pace(question, used))


def _pace(question: Question, used: int) -> Pace | UnsetType | None:
    included = question.included
    if included is None or not included.pace:
        return UNSET
    return pace(used, question.quota, question.billing_period, included.quarter) if included.renews else None


@lru_cache(maxsize=64)  # the few dates that are “today” in some zone, in all ranges
def _dates(range_: Range, today: date) -> tuple[str, ...]:
    first, last = calendar.range_first_day(range_, today).toordinal(), today.toordinal()
    return tuple(date.fromordinal(ordinal).isoformat() for ordinal in range(first, last + 1))


def _activity(view: View, buckets: Sequence[Bucket], used: Windows) -> Activity:
    rows = [
        ActivityBucket(bucket.label, boundary(bucket.start), boundary(bucket.end), *numbers)
        for bucket, *numbers in zip(buckets, used.credits, used.characters, used.lines, used.runs, strict=True)
    ]
    total = sum(row.credits for row in rows)
    most = max(rows, key=lambda row: row.credits)  # on a tie the first
    return Activity(
        view=view,
        bucket_unit=_UNITS[view],
        range_label=_RANGE_LABELS[view],
        total=total,
        avg=quotient(total, len(rows), 1),
        peak=Peak(most.credits, most.label, most.start, most.end) if total else None,
        buckets=rows,
    )
