"""What a workspace used in a range or a calendar month, and in the one before: the numbers of a report.

Reads the tables through `tables.opened`, in a folder or on an object store, and the members in the directory if the
tables do not know the workspace.
"""

import asyncio
from datetime import date, timedelta
from pathlib import Path

import msgspec

from pipeline.contract import calendar
from pipeline.contract.calendar import QUARTER_US, Range, rfc3339
from pipeline.contract.directory import MEMBERS, Member, read_rows
from pipeline.contract.settings import DIRECTORY, Settings
from service.api import by_language, comparison, summary
from service.api.by_language import LanguageRow
from service.api.comparison import Comparison
from service.api.envelope import Count, Instant, Period
from service.api.summary import Audio, Day, Lines, Runs, Total
from service.tables import windows
from service.tables.opened import open_source, shared_folder
from service.tables.snapshots import Snapshot, Snapshots, Workspace
from service.tables.source import NotFetchedError


class QuestionError(ValueError):
    """Raised when there is no report of what is asked for; the message is for the user."""


class Question(msgspec.Struct, frozen=True):
    """What a report is of: a range, or a calendar month.

    Attributes:
        workspace_id: of the workspace.
        timezone: whose days count.
        range: of local days, the last of which is today; None if a month is asked for.
        month: its first day.
        now: the instant that decides what today is; None for that of the data.
    """

    workspace_id: str
    timezone: str
    range: Range | None
    month: date | None
    now: int | None


class Report(msgspec.Struct, frozen=True):
    """The whole report. What is also a field of an answer of the API has its name there, and equals it.

    `period` and `daily` end with today if the month is not over. `first_kept_day` is given only if some of the period
    is before that day, so that the report lacks what retention has deleted.
    """

    workspace_id: str
    timezone: str
    range: Range | None
    month: str | None
    timestamp: Instant
    data_as_of: Instant | None
    first_kept_day: date | None
    period: Period
    total_credits: Count
    untagged_credits: Count
    characters: Total
    corrected: Total
    lines: Lines
    audio: Audio
    runs: Runs
    comparison: Comparison
    daily: list[Day]
    languages: list[LanguageRow]


def read(settings: Settings, question: Question) -> Report:
    """Return the report, of one commit.

    Raises:
        QuestionError: there is no report of what is asked for.
        StoreError: nothing is published yet, or the tables cannot be read.
        DirectoryError: the members cannot be read, and the tables do not know the workspace.
    """
    with shared_folder(settings) as shared:
        snapshots = Snapshots(open_source(settings, shared, following=False))
        try:
            return asyncio.run(_read(snapshots, question, shared))
        finally:
            snapshots.close()


async def _read(snapshots: Snapshots, question: Question, shared: Path) -> Report:
    snapshot = snapshots.current()
    while True:
        try:
            return compute(question, snapshot, shared)
        except NotFetchedError as missing:
            snapshot = await snapshots.fetched(snapshot, missing)


def compute(question: Question, snapshot: Snapshot, folder: Path) -> Report:
    """Compute the report from the tables.

    Args:
        question: what it is of.
        snapshot: of the tables.
        folder: has the directory.

    Raises:
        QuestionError: there is no report of what is asked for.
        NotFetchedError: files have to be fetched first.
    """
    published, zone = snapshot.published, question.timezone
    now = published.data_as_of if question.now is None else question.now
    if now is None:
        raise QuestionError("no run has read all of raw/ yet, so that the report has no instant: name one with --now")
    today, quarter = calendar.today(zone, now), now - now % QUARTER_US
    first, last, compared = _windows(question, snapshot, today, quarter)
    boundaries = calendar.days(zone, first, (last - first).days + 1)
    start, end = boundaries[0], boundaries[-1]
    kept = published.first_kept_day
    if kept is not None and end <= calendar.utc_day_start(kept):
        raise QuestionError(f"nothing of that time is kept: the first day that is kept is {kept}")

    def report(workspace: Workspace) -> Report:
        if workspace.is_empty and not _is_listed(folder, question.workspace_id):
            raise QuestionError(f"no workspace {question.workspace_id}: it has no events, and members.jsonl lacks it")
        days, *others = windows.between(workspace, boundaries, *compared.kept)
        languages = by_language.languages(workspace, start, end)
        return Report(
            workspace_id=question.workspace_id,
            timezone=zone,
            range=question.range,
            month=None if question.month is None else question.month.isoformat()[:7],
            timestamp=rfc3339(now),
            data_as_of=snapshot.as_of,
            first_kept_day=kept if kept is not None and start < calendar.utc_day_start(kept) else None,
            period=Period.of(start, end),
            total_credits=languages.total_credits,
            untagged_credits=languages.untagged_credits,
            comparison=comparison.compare(compared, others),
            daily=summary.daily(_dates(first, last), days),
            languages=languages.rows,
            **summary.totals(days),
        )

    return snapshot.read(question.workspace_id, report)


def _windows(
    question: Question, snapshot: Snapshot, today: date, quarter: int
) -> tuple[date, date, comparison.Compared]:
    """Return the first and the last day, and what is compared.

    Raises:
        QuestionError: the month has not begun.
    """
    zone, published = question.timezone, snapshot.published
    if question.month is None:
        range_ = question.range or "30d"
        compared = comparison.windows(zone, range_, today, quarter, published)
        return calendar.range_first_day(range_, today), today, compared
    if question.month > today:
        raise QuestionError(f"--month is in the future: today is {today} in {zone}, by --now or the age of the data")
    last = min(calendar.add_months(question.month, 1) - timedelta(days=1), today)
    return question.month, last, comparison.month_windows(zone, question.month, today, quarter, published)


def _dates(first: date, last: date) -> list[str]:
    return [(first + timedelta(days=days)).isoformat() for days in range((last - first).days + 1)]


def _is_listed(folder: Path, workspace_id: str) -> bool:
    members = read_rows(folder / DIRECTORY / MEMBERS, Member)
    return any(member.workspace_id.lower() == workspace_id for member in members)
