"""`/usage/activity`: who did what, newest first, in pages with cursors in both directions.

Reads the events of one workspace through `tables.event_scan`.
"""

from contextlib import closing
from datetime import date, timedelta
from itertools import islice
from typing import Annotated

import msgspec

from pipeline.contract import calendar
from pipeline.contract.actions import PATTERN
from pipeline.contract.calendar import Range
from service.api import cursors, envelope
from service.api.cursors import Cursor
from service.api.envelope import Count, Instant
from service.api.parameters import FeedParameters
from service.auth.authentication import Caller
from service.auth.directory import Directory
from service.errors import UnknownUserError
from service.tables.event_scan import Filter, Hit, Matches, Position
from service.tables.snapshots import Snapshot, Workspace

_ANY_ID = "-"  # of a position outside the window, where ids are never compared


class Question(envelope.Question, frozen=True):
    """Everything that the answer depends on. The window `[start, end)` is that of the first page."""

    workspace_id: str
    range: Range
    type: str | None
    user_id: str | None
    limit: int
    cursor: Cursor | None
    timezone: str
    today: date
    start: int
    end: int

    @property
    def until(self) -> int:
        """Return the start of the next local day."""
        return calendar.day_start(self.timezone, self.today + timedelta(days=1))


class Resource(msgspec.Struct, frozen=True):
    """What an event was about."""

    type: str
    id: str | None
    name: str | None


class User(msgspec.Struct, frozen=True):
    """The user who did it, with the name that they had then."""

    id: str
    name: str


class Event(msgspec.Struct, frozen=True):
    """One event, in its current version. `user` is null for events of the system."""

    id: str
    timestamp: Instant
    action: Annotated[str, msgspec.Meta(pattern=PATTERN)]  # also one that is no longer accepted
    kind: str
    resource: Resource
    user: User | None
    # As received: the spelling of numbers and the order of keys are part of the customer's data.
    metadata: Annotated[msgspec.Raw | None, msgspec.Meta(extra_json_schema={"type": ["object", "null"]})]
    ip: str | None


class Pagination(msgspec.Struct, frozen=True):
    """Cursors of the neighbouring pages: `next` leads to older events, `prev` to newer ones; null if there are none."""

    limit: Count
    next: str | None
    prev: str | None


class Page(msgspec.Struct, frozen=True):
    """The whole answer."""

    data: list[Event]
    pagination: Pagination


def ask(parameters: FeedParameters, caller: Caller, directory: Directory, now: int) -> Question:
    """Return the question of a request at one instant.

    Raises:
        UnknownUserError: `user_id` is not an active member of the workspace.
    """
    workspace_id, user_id = str(caller.workspace_id), parameters.user_id
    if user_id is not None and not directory.is_active(workspace_id, user_id):
        raise UnknownUserError
    today = calendar.today(parameters.timezone, now)
    if parameters.cursor is None:
        boundaries = calendar.range_days(parameters.timezone, parameters.range, today)
        start, end = boundaries[0], boundaries[-1]
    else:
        start, end = parameters.cursor.start, parameters.cursor.end
    return Question(
        workspace_id=workspace_id,
        range=parameters.range,
        type=parameters.type,
        user_id=user_id,
        limit=parameters.limit,
        cursor=parameters.cursor,
        timezone=parameters.timezone,
        today=today,
        start=start,
        end=end,
    )


def answer(question: Question, snapshot: Snapshot) -> Page:
    """Read the page from the tables."""
    return snapshot.read(question.workspace_id, lambda workspace: _page(workspace, question))


def _page(workspace: Workspace, question: Question) -> Page:
    """Return one page. It asks for one event more than fits, to know whether there is another page."""
    wanted = Filter(question.start, question.end, question.type, question.user_id)
    cursor, limit = question.cursor, question.limit
    oldest, newest = Position(question.start - 1, _ANY_ID), Position(question.end, _ANY_ID)
    with closing(Matches(workspace, wanted)) as matches:
        if cursor is not None and cursor.direction == "prev":
            found = list(islice(matches.newer(Position(cursor.timestamp, cursor.id)), limit + 1))
            hits = found[:limit][::-1]
            top, bottom = _ends(hits, newest)
            has_newer, has_older = len(found) > limit, any(True for _ in matches.older(bottom))
        else:
            position = newest if cursor is None else Position(cursor.timestamp, cursor.id)
            found = list(islice(matches.older(position), limit + 1))
            hits = found[:limit]
            top, bottom = _ends(hits, oldest)
            has_older = len(found) > limit
            has_newer = cursor is not None and any(True for _ in matches.newer(top))
        data = [_event(hit.position, content) for hit, content in zip(hits, matches.contents(hits), strict=True)]
    origin = cursor or Cursor(
        version=1,
        direction="next",
        timestamp=question.end,
        id=_ANY_ID,
        start=question.start,
        end=question.end,
        range=question.range,
        type=question.type,
        user_id=question.user_id,
        timezone=question.timezone,
    )
    return Page(
        data,
        Pagination(
            limit=limit,
            next=cursors.encode(cursors.at(origin, "next", *bottom)) if has_older else None,
            prev=cursors.encode(cursors.at(origin, "prev", *top)) if has_newer else None,
        ),
    )


def _ends(hits: list[Hit], if_empty: Position) -> tuple[Position, Position]:
    """Return the positions of a page's first and last event, or `if_empty` twice."""
    return (hits[0].position, hits[-1].position) if hits else (if_empty, if_empty)


def _event(position: Position, content: dict[str, object]) -> Event:
    user_id, metadata = content["user_id"], content["metadata"]
    return Event(
        id=position.id,
        timestamp=calendar.rfc3339(position.timestamp),
        action=str(content["action"]),
        kind=str(content["kind"]),
        # The run checked the columns when it wrote them.
        resource=Resource(content["resource_type"], content["resource_id"], content["resource_name"]),  # type: ignore[arg-type]
        user=None if user_id is None else User(str(user_id), str(content["user_name"] or "")),
        metadata=None if metadata is None else msgspec.Raw(str(metadata).encode()),
        ip=content["ip"],  # type: ignore[arg-type]
    )
