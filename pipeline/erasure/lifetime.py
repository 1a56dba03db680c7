"""Says how many credits an erasure takes from accounts whose credits are not renewed.

Reads `directory/accounts.jsonl` and actors files; writes nothing. The quota of such an account covers everything since
its anchor, so credits that are erased no longer count against the quota.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contract.calendar import utc_day
from pipeline.contract.directory import ACCOUNTS, Account, DirectoryError, read_rows
from pipeline.contract.tables import ACTORS
from pipeline.storage.parquet import portions
from pipeline.storage.store import DamagedError, Store

_PORTION_BYTES: Final = 32 << 20  # of stored rows in memory at once


def warnings(store: Store, directory: Path, erased: Iterable[tuple[str, str]], threads: int) -> list[str]:
    """Return warnings about credits that no longer count against a quota, or about not knowing them.

    Args:
        store: the tables.
        directory: the folder of accounts.
        erased: the (workspace, UTC day) pairs whose events are deleted.
        threads: how many files are read at once.
    """
    days: dict[tuple[str, str], set[date]] = {}  # by workspace and month
    for workspace_id, day in erased:
        days.setdefault((workspace_id, day[:7]), set()).add(date.fromisoformat(day))
    try:
        anchors = _anchors(directory) if days else {}
        users, lost = set(), 0
        for (workspace_id, month), gone in days.items() if anchors else ():
            for used_on, user_id, used in _used(store, workspace_id, month, list(anchors), threads):
                if used_on in gone and used_on >= anchors[user_id]:
                    users.add(user_id)
                    lost += used
    except (DirectoryError, DamagedError) as error:
        return [f"{error}: it is not known whether this erases credits of accounts whose credits are not renewed"]
    if not lost:
        return []
    return [f"{lost:,} credits of {len(users):,} accounts whose credits are not renewed no longer count as used"]


def _anchors(directory: Path) -> dict[str, date]:
    """Return, by user, the UTC day on which the period of each account whose credits are not renewed begins."""
    accounts = {row.user_id.lower(): row for row in read_rows(directory / ACCOUNTS, Account)}
    return {user_id: utc_day(row.anchor or 0) for user_id, row in accounts.items() if not row.renews}


def _used(
    store: Store, workspace_id: str, month: str, users: list[str], threads: int
) -> Iterable[tuple[date, str, int]]:
    """Yield the day, user and credits of some users' rows in the actors file; rows without credits are left out."""
    files = store.months([workspace_id]).get(workspace_id, {}).get(month)
    if files is None:
        return
    for _, rows in portions(store, [files.actors], ACTORS, threads, _PORTION_BYTES):
        theirs = pc.and_(pc.is_in(rows["user_id"], pa.array(users)), pc.greater(rows["credits"], 0))
        for row in rows.filter(theirs).select(["day", "user_id", "credits"]).to_pylist():
            yield row["day"], row["user_id"], row["credits"]
