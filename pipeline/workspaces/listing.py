"""List the workspaces of the tables and of the directory, with what each has used and when it was heard of last.

Reads tables through the store, and `directory/members.jsonl`; writes nothing. Each workspace is read as of one commit:
where a run publishes other files of it meanwhile, it is read again.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from pipeline.contract.calendar import SECOND_US, rfc3339
from pipeline.contract.directory import MEMBERS, Member, read_rows
from pipeline.contract.settings import Settings
from pipeline.contract.tables import Month
from pipeline.storage.opened import open_directory, open_store
from pipeline.storage.store import DamagedError, Store
from pipeline.workspaces.activity import Activity, ActivityReader, OvertakenError

LAST_DAYS: Final = 30
_PERCENTS: Final = (50, 99)
_TRIES: Final = 3  # to read a workspace while a run commits


class WorkspaceInfo(msgspec.Struct, frozen=True):
    """What `usage workspaces` says of a workspace. Instants are RFC 3339 in UTC; None: it has no events.

    The 30 days are UTC days, of which today is the last. Lateness is the time from an event's `timestamp` to its
    `recorded_at`; None: there are no events in the 30 days.
    """

    id: str
    members: int  # active ones, in the directory
    removed_members: int  # likewise
    events: int
    first_event: str | None
    last_event: str | None
    silent_seconds: float | None  # since the last event; negative if that is in the future
    credits_30d: int
    lateness_p50_seconds: float | None
    lateness_p99_seconds: float | None


def read(settings: Settings, now: int, silent_for: int | None = None) -> list[WorkspaceInfo]:
    """Return all workspaces that have events or members, sorted by id; or only those that have fallen silent.

    Args:
        settings: where the data are.
        now: microseconds UTC.
        silent_for: only workspaces that have events, the last of which is older than so many microseconds. Little is
            read of the others then.

    Raises:
        DirectoryError: the file of members cannot be read.
        DamagedError: a file of the tables cannot be read.
        ObjectStoreError: the store cannot be used.
    """
    members = _members(settings)
    reader = ActivityReader(now, None if silent_for is None else now - silent_for, LAST_DAYS, _PERCENTS)
    found = []
    with open_store(settings) as store:
        months = store.months(store.workspaces())
        for name in sorted({*months, *(name for name, _ in members)}):
            activity = _read(reader, store, name, months.get(name, {}))
            if activity is not None:
                found.append(_info(name, members, activity, now))
    return found


def _members(settings: Settings) -> Counter[tuple[str, str]]:
    """Return how many members of each status each workspace has; of a repeated member the last row counts."""
    with open_directory(settings) as folder:
        rows = read_rows(folder / MEMBERS, Member)
    current = {(row.workspace_id.lower(), row.user_id.lower()): row.status for row in rows}
    return Counter((workspace_id, status) for (workspace_id, _), status in current.items())


def _read(reader: ActivityReader, store: Store, name: str, months: Mapping[str, Month]) -> Activity | None:
    """Read a workspace, and again if a run has published something meanwhile.

    In the end it may be of two commits: one of them may wait for the next run to finish it.
    """
    for _ in range(_TRIES - 1):
        try:
            return reader.read(store, name, months, strict=True)
        except (OvertakenError, DamagedError):
            store = store.latest()
            months = store.months([name]).get(name, {})
    return reader.read(store, name, months, strict=False)


def _info(name: str, members: Counter[tuple[str, str]], activity: Activity, now: int) -> WorkspaceInfo:
    p50, p99 = activity.lateness or (None, None)
    return WorkspaceInfo(
        id=name,
        members=members[name, "active"],
        removed_members=members[name, "removed"],
        events=activity.events,
        first_event=None if activity.first is None else rfc3339(activity.first),
        last_event=None if activity.last is None else rfc3339(activity.last),
        silent_seconds=None if activity.last is None else (now - activity.last) / SECOND_US,
        credits_30d=activity.credits,
        lateness_p50_seconds=_seconds(p50),
        lateness_p99_seconds=_seconds(p99),
    )


def _seconds(span: int | None) -> float | None:
    return None if span is None else span / SECOND_US
