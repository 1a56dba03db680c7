"""`/usage/by-language`: what a workspace used in a range or view, by language.

Reads the cube of one workspace through `tables.windows`.
"""

from datetime import date, timedelta
from typing import Annotated, Literal, NamedTuple

import msgspec

from pipeline.contract import calendar
from pipeline.contract.calendar import Range, View
from service.api import envelope
from service.api.envelope import Count, Period, quotient
from service.api.locales import display_name
from service.api.parameters import LanguageParameters
from service.auth.authentication import Caller
from service.auth.directory import Directory
from service.tables import windows
from service.tables.snapshots import Snapshot, Workspace
from service.tables.windows import LanguageUsage

_NOTHING = LanguageUsage(0, 0, 0, 0)


class Question(envelope.Question, frozen=True):
    """Everything that the answer depends on."""

    workspace_id: str
    range: Range | None  # None if the request names a view
    activity_view: View | None
    timezone: str
    today: date

    @property
    def until(self) -> int:
        """Return the start of the next local day."""
        return calendar.day_start(self.timezone, self.today + timedelta(days=1))


class LanguageRow(msgspec.Struct, frozen=True):
    """Usage in one language. `share` is its part of all credits, or of all characters if no credits were used."""

    locale_code: str
    display_name: str
    share: Annotated[float, msgspec.Meta(ge=0, le=1)]
    credits: Count
    characters: Count
    corrected: Count
    lines: Count
    allocation_basis: Literal["characters"] = "characters"


class Languages(NamedTuple):
    """Usage by language. The credits of the rows and the untagged credits add up to the total."""

    rows: list[LanguageRow]
    total_credits: int
    untagged_credits: int


class ByLanguage(msgspec.Struct, frozen=True):
    """The whole answer. The credits of the rows and the untagged credits add up to the total."""

    range: Range | None
    activity_view: View | None
    timezone: str
    period: Period
    languages: list[LanguageRow]
    total_credits: Count
    untagged_credits: Count


def ask(parameters: LanguageParameters, caller: Caller, directory: Directory, now: int) -> Question:  # noqa: ARG001 - all endpoints have the same signature
    """Return the question of a request at one instant."""
    return Question(
        workspace_id=str(caller.workspace_id),
        range=None if parameters.activity_view else parameters.range,
        activity_view=parameters.activity_view,
        timezone=parameters.timezone,
        today=calendar.today(parameters.timezone, now),
    )


def answer(question: Question, snapshot: Snapshot) -> ByLanguage:
    """Compute the answer from the tables."""
    start, end = _window(question)
    found = snapshot.read(question.workspace_id, lambda workspace: languages(workspace, start, end))
    return ByLanguage(
        range=question.range,
        activity_view=question.activity_view,
        timezone=question.timezone,
        period=Period.of(start, end),
        languages=found.rows,
        total_credits=found.total_credits,
        untagged_credits=found.untagged_credits,
    )


def languages(workspace: Workspace, start: int, end: int) -> Languages:
    """Return what each language used in `[start, end)`, the most credits first."""
    used = windows.by_locale(workspace, start, end)
    all_credits = sum(row.credits for row in used.values())
    all_characters = sum(row.characters for row in used.values())
    untagged = used.pop(None, _NOTHING)

    def share(row: LanguageUsage) -> float:
        if all_credits:
            return quotient(row.credits, all_credits, 6)
        return quotient(row.characters, all_characters, 6) if all_characters else 0.0

    rows = [
        LanguageRow(locale, display_name(locale), share(row), row.credits, row.characters, row.corrected, row.lines)
        for locale, row in used.items()
        if locale is not None and any(row)
    ]
    return Languages(sorted(rows, key=lambda row: (-row.credits, row.locale_code)), all_credits, untagged.credits)


def _window(question: Question) -> tuple[int, int]:
    if question.activity_view:
        buckets = calendar.view_buckets(question.timezone, question.activity_view, question.today)
        return buckets[0].start, buckets[-1].end
    boundaries = calendar.range_days(question.timezone, question.range or "30d", question.today)
    return boundaries[0], boundaries[-1]
