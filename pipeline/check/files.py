"""Find the files of the tables, and check that the manifests name exactly these files.

Reads the folders of `events/`, `cube/` and `actors/`, the manifests and `published.json`; writes nothing.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

import msgspec

from pipeline.check.digests import Digests
from pipeline.check.report import CheckReport, Scope, TableResult
from pipeline.contract.tables import PUBLISHED, Month, manifest_path
from pipeline.load.rebuild import remedy
from pipeline.storage import catalog
from pipeline.storage.store import DamagedError, Store

_EVENTS: Final = re.compile(r"events/workspace_id=([0-9a-f-]{36})/day=([0-9]{4}-[0-9]{2}-[0-9]{2})/events\.parquet")
_MONTHLY: Final = re.compile(r"(cube|actors)/workspace_id=([0-9a-f-]{36})/month=([0-9]{4}-[0-9]{2})/[^/]+\.parquet")
_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class Unit(msgspec.Struct):
    """The files of one UTC month of one workspace; `cube` and `actors` are None if there is no file to compare."""

    workspace_id: str
    month: str
    events: list[str] = []  # one file per UTC day in scope
    bytes: int = 0  # of the events files
    cube: str | None = None
    actors: str | None = None


def survey(store: Store, scope: Scope, digests: Digests, report: CheckReport) -> list[Unit]:
    """Return the files to compare, sorted by workspace and month, and check their names against the manifests.

    Args:
        store: the data folder.
        scope: the workspaces and days to check.
        digests: of the published files.
        report: collects the faults.
    """
    units = {(unit.workspace_id, unit.month): unit for unit in _events(store, scope, digests, report.events)}
    manifests = {name for name in store.workspaces() if scope.covers(name)}
    workspaces = manifests | {workspace_id for workspace_id, _ in units}
    named = {name: _manifest(store, name, digests, report.manifests) for name in sorted(workspaces)}
    for workspace_id, months in named.items():
        for month, files in sorted((months or {}).items()):
            if not _MONTH.fullmatch(month):
                report.manifests.fault(f"{manifest_path(workspace_id)} names a month {month!r}")
            elif scope.covers_month(month):
                unit = units.setdefault((workspace_id, month), Unit(workspace_id, month))
                unit.cube = _named(store, unit, "cube", files.cube, report.manifests)
                unit.actors = _named(store, unit, "actors", files.actors, report.manifests)
    for workspace_id, month in sorted(units):
        months = named[workspace_id]
        if months is not None and month not in months:
            text = f"{manifest_path(workspace_id)} does not name {month}, which has events"
            report.manifests.fault(f"{text}; {remedy(manifest_path(workspace_id))}")
    _orphans(store, scope, named, report.manifests)
    report.manifests.workspaces = len(manifests)
    _published(store, digests, report, something=bool(manifests))
    report.notes += [f"nothing is stored for workspace {name}" for name in sorted(scope.workspaces - workspaces)]
    return [units[key] for key in sorted(units)]


def _events(store: Store, scope: Scope, digests: Digests, result: TableResult) -> Iterator[Unit]:
    """Yield the months that have events, or had some; any other file where readers look for partitions is a fault."""
    units: dict[tuple[str, str], Unit] = {}
    stored = catalog.files(store, "events", scope.workspaces)
    missing = set(digests.named("events")).difference(stored)
    for uri in sorted({*stored, *missing}):
        found = _EVENTS.fullmatch(uri)
        day = _day(found[2]) if found else None
        if found is None or day is None:
            if uri not in missing:
                result.fault(f"{uri} is not a partition of the table")
        elif scope.covers(found[1]) and scope.first <= day <= scope.last:
            key = found[1], found[2][:7]
            unit = units.setdefault(key, Unit(*key))
            unit.events.append(uri)
            if uri in missing:
                digests.miss(uri, result)
            else:
                unit.bytes += store.size(uri)
    result.files = sum(len(unit.events) for unit in units.values())
    result.workspaces = len({workspace_id for workspace_id, _ in units})
    yield from units.values()


def _manifest(store: Store, workspace_id: str, digests: Digests, result: TableResult) -> dict[str, Month] | None:
    """Return the months that a manifest names; if it is missing or damaged, report that and return None."""
    uri = manifest_path(workspace_id)
    if store.exists(uri) and not digests.agrees(uri, result):
        return None
    try:
        months = store.months([workspace_id]).get(workspace_id)
    except DamagedError as error:
        result.fault(f"{error}; {remedy(uri)}")
        return None
    if months is None:
        result.fault(f"{uri} is missing, although the workspace has events; {remedy(uri)}")
    return months


def _named(store: Store, unit: Unit, table: str, uri: str, result: TableResult) -> str | None:
    """Return a file that a manifest names for a month; if it is missing or misplaced, report that and return None."""
    found = _MONTHLY.fullmatch(uri)
    where = f"{manifest_path(unit.workspace_id)} names for {unit.month} {uri}"
    if found is None or found.groups() != (table, unit.workspace_id, unit.month):
        result.fault(f"{where}, which belongs to another table, workspace or month")
        return None
    if not store.exists(uri):
        result.fault(f"{where}, which is missing; {remedy(uri)}")
        return None
    result.files += 1
    return uri


def _orphans(store: Store, scope: Scope, named: dict[str, dict[str, Month] | None], result: TableResult) -> None:
    """Find the files of cube and actors that no manifest names, such as leftovers of a crash."""
    known = {uri for months in named.values() for uri in catalog.named(months or {})}
    unknown = {workspace_id for workspace_id, months in named.items() if months is None}
    for uri in [uri for table in ("cube", "actors") for uri in catalog.files(store, table, scope.workspaces)]:
        found = _MONTHLY.fullmatch(uri)
        # A manifest that cannot be read is a fault already; its files may be in use.
        excused = found is not None and (found[2] in unknown or not scope.covers_month(found[3]))
        if uri not in known and not excused:
            result.fault(f"{uri} is an orphan: no manifest names it, and it can be deleted")


def _published(store: Store, digests: Digests, report: CheckReport, *, something: bool) -> None:
    if store.exists(PUBLISHED) and not digests.agrees(PUBLISHED, report.manifests):
        return
    try:
        published = store.published()
    except DamagedError as error:
        report.manifests.fault(f"{error}; {remedy(PUBLISHED)}")
        return
    if published is None and something:
        report.manifests.fault(f"{PUBLISHED} is missing, although there are manifests; the next run writes it")
    elif published is None:
        report.notes.append("nothing is published yet")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
