"""Which local days start elsewhere in another release of the zone data.

Pure but for the zone files of the two releases; writes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from pipeline.contract.calendar import day_starts
from pipeline.contract.zones import Release


class MovedDay(NamedTuple):
    """A local day, and where it starts in the two releases, in microseconds UTC."""

    day: date
    old: int
    new: int


class Change(NamedTuple):
    """Zones whose days move alike, and these days in their order."""

    zones: list[str]
    moved: tuple[MovedDay, ...]


class Changes(NamedTuple):
    """What another release brings: `relinked` has the target of a link, or None for a zone of its own, old and new."""

    added: list[str]
    removed: list[str]
    relinked: dict[str, tuple[str | None, str | None]]
    moved: list[Change]


class MovedDays(NamedTuple):
    """Moved days that follow each other, all by as much."""

    first: MovedDay
    last: MovedDay
    days: int


def compare(old: Release, new: Release, first: date, last: date, only: Iterable[str] = ()) -> Changes:
    """Compare two releases.

    Args:
        old: the release that counts today.
        new: the one that may take its place.
        first: the first local day that is looked at.
        last: the last one.
        only: the zones that are looked at, else all.

    Raises:
        ReleaseError: a release is not whole.
        OffGridError: a day starts off the quarter-hours of UTC.
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
    """Yield moved days put together: those that follow each other and move by as much."""
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
    """Return the days of a zone that start elsewhere."""
    count = (last - first).days + 1
    starts = (day_starts(release.zone(name), first, count) for release in (old, new))
    days = enumerate(zip(*starts, strict=True))
    return tuple(MovedDay(first + timedelta(days=k), *start) for k, start in days if start[0] != start[1])
