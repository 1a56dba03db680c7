"""Find the local days that start at another instant in another release of the zone data.

Reads the zone files of the two releases; writes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from pipeline.contract.calendar import day_starts
from pipeline.contract.zones import Release


class MovedDay(NamedTuple):
    """A local day, with its start in the old and in the new release, in microseconds UTC."""

    day: date
    old: int
    new: int


class Change(NamedTuple):
    """Zones whose days move in the same way, and those days, oldest first."""

    zones: list[str]
    moved: tuple[MovedDay, ...]


class Changes(NamedTuple):
    """Everything that differs between two releases.

    `relinked` maps a name to what it links to in the old and in the new release; None is a zone of its own.
    """

    added: list[str]
    removed: list[str]
    relinked: dict[str, tuple[str | None, str | None]]
    moved: list[Change]


class MovedDays(NamedTuple):
    """Consecutive days that all move by the same amount."""

    first: MovedDay
    last: MovedDay
    days: int


def compare(old: Release, new: Release, first: date, last: date, only: Iterable[str] = ()) -> Changes:
    """Compare two releases.

    Args:
        old: the release in use.
        new: the release that may replace it.
        first: the first local day to compare.
        last: the last local day to compare.
        only: the zones to compare; all of them if empty.

    Raises:
        ReleaseError: a release is incomplete or damaged.
        OffGridError: a day does not start on a quarter-hour of UTC.
    """
    wanted = frozenset(only) or old.names | new.names
    common = sorted(old.names & new.names & wanted)
    files: dict[tuple[bytes, bytes], list[str]] = defaultdict(list)
    for name in common:
        files[old.content(name), new.content(name)].append(name)
    alike: dict[tuple[MovedDay, ...], list[str]] = defaultdict(list)
    for (before, after), names in files.items():
        if before != after:
            alike[_moved(old, new, names[0], first, last)] += names
    alike.pop((), None)
    targets = {name: (old.links.get(name), new.links.get(name)) for name in common}
    return Changes(
        added=sorted((new.names - old.names) & wanted),
        removed=sorted((old.names - new.names) & wanted),
        relinked={name: (before, after) for name, (before, after) in targets.items() if before != after},
        moved=sorted(Change(sorted(names), moved) for moved, names in alike.items()),
    )


def ranges(moved: Iterable[MovedDay]) -> Iterator[MovedDays]:
    """Yield runs of consecutive days that move by the same amount."""
    pending: MovedDays | None = None
    for day in moved:
        if pending is not None and _follows(pending.last, day):
            pending = MovedDays(pending.first, day, pending.days + 1)
            continue
        if pending is not None:
            yield pending
        pending = MovedDays(day, day, 1)
    if pending is not None:
        yield pending


def _follows(one: MovedDay, other: MovedDay) -> bool:
    return other.day - one.day == timedelta(days=1) and other.new - other.old == one.new - one.old


def _moved(old: Release, new: Release, name: str, first: date, last: date) -> tuple[MovedDay, ...]:
    """Return the days of a zone that start at another instant."""
    count = (last - first).days + 1
    starts = (day_starts(release.zone(name), first, count) for release in (old, new))
    days = enumerate(zip(*starts, strict=True))
    return tuple(MovedDay(first + timedelta(days=k), *start) for k, start in days if start[0] != start[1])
