"""Compare the published numbers with those that follow from the events, computed in a different way from a run.

Reads the files of events, cube and actors through `TableReader`, some UTC months of workspaces at a time, so that
memory stays bounded; writes nothing.
"""

from typing import Any, Final

from pipeline.check.files import Unit
from pipeline.check.reader import PUBLISHED_ACTORS, PUBLISHED_CUBE, STORED_EVENTS, TableReader
from pipeline.check.report import SHOWN, CheckReport, MovedId, TableResult
from pipeline.contract.tables import events_path
from pipeline.grouping import grouped
from pipeline.load.progress import Progress
from pipeline.storage.engine import Engine, EngineError

# Each file counts as at least this size, so that a group has at most 600 files: a file takes 200 kB of memory on top of
# the engine's limit.
_FILE_BYTES: Final = 53_000

# In the order of the columns that count them in `sql/stored_partitions.sql`.
_FAULTS: Final = (
    "rows of another UTC day",
    "rows that repeat an id",
    "rows newer than the one above them",
    "rows that repeat a locale",
)


def compare(units: list[Unit], reader: TableReader, report: CheckReport, progress: Progress, group_bytes: int) -> None:
    """Compare all units, and find the ids that occur on several UTC days.

    Args:
        units: sorted by workspace and month.
        reader: loads their files.
        report: collects the results.
        progress: receives progress reports.
        group_bytes: the size on disk of the events files that are compared at once.
    """
    progress.begin("compare", f"comparing {len(units):,} months of workspaces", len(units), "months")
    for group in grouped(units, lambda unit: _weight([unit]), group_bytes):
        with reader.copies(group, STORED_EVENTS, PUBLISHED_CUBE, PUBLISHED_ACTORS):
            _compare(group, reader, report)
        progress.advance(len(group))
    by_workspace: dict[str, list[Unit]] = {}
    for unit in units:
        by_workspace.setdefault(unit.workspace_id, []).append(unit)
    progress.begin("moved", "looking for ids on several days", len(units), "months")
    for pieces in grouped(by_workspace.values(), _weight, group_bytes):
        group = [unit for piece in pieces for unit in piece]
        with reader.copies(group, STORED_EVENTS):
            _find_moved(group, reader, report)
        progress.advance(len(group))
    for kind, result in ((PUBLISHED_CUBE, report.cube), (PUBLISHED_ACTORS, report.actors)):
        stored = [unit.workspace_id for unit in units if reader.files(kind, unit)]
        result.files, result.workspaces = len(stored), len(set(stored))


def _compare(units: list[Unit], reader: TableReader, report: CheckReport) -> None:
    try:
        with reader.engine() as engine:
            complete = reader.load(engine, units)
            if complete:
                _compare_loaded(engine, units, reader, report)
    except EngineError as error:  # damaged numbers or too little memory: the other groups are still compared
        first, last = units[0], units[-1]
        where = f"{first.workspace_id} {first.month} to {last.workspace_id} {last.month}"
        report.events.fault(f"{where} could not be compared: {str(error).splitlines()[0]}")
    else:
        if not complete:
            _compare(units, reader, report)


def _compare_loaded(engine: Engine, units: list[Unit], reader: TableReader, report: CheckReport) -> None:
    engine.create("duplicates")
    engine.view("distinct_events")
    for kind, expected in ((PUBLISHED_CUBE, "expected_cube"), (PUBLISHED_ACTORS, "expected_actors")):
        stored = [unit for unit in units if reader.files(kind, unit)]
        engine.create(
            expected,
            workspaces=[unit.workspace_id for unit in stored],
            months=[unit.month for unit in stored],
            **reader.days,
        )
    ((cube_rows, actors_rows),) = engine.fetch("compared")
    report.cube.rows += cube_rows
    report.actors.rows += actors_rows
    for workspace_id, day, rows, *faults in engine.fetch("stored_partitions"):
        report.events.rows += rows
        for what, many in zip(_FAULTS, faults, strict=True):
            if many:
                report.events.fault(f"{events_path(workspace_id, day)}: {what}: {many:,}")
    _quote(report.cube, engine.fetch("differing_cube", most=SHOWN), "workspace {}, quarter {}, {}")
    _quote(report.actors, engine.fetch("differing_actors", most=SHOWN), "workspace {}, day {}, {}, {}")


def _find_moved(units: list[Unit], reader: TableReader, report: CheckReport) -> None:
    paths = reader.paths(STORED_EVENTS, units)
    if not paths:
        return
    with reader.engine() as engine:
        rows = engine.fetch("moved_ids", files=paths, most=SHOWN)
    if rows:
        report.moved.ids += rows[0][-1]
    report.moved.first += [MovedId(*row[:-1]) for row in rows][: SHOWN - len(report.moved.first)]


def _weight(units: list[Unit]) -> int:
    """Return how much some units add to the size of a group, in bytes."""
    return max(sum(unit.bytes for unit in units), _FILE_BYTES * sum(len(unit.events) + 2 for unit in units))


def _quote(result: TableResult, rows: list[tuple[Any, ...]], where: str) -> None:
    """Count the numbers that differ, and quote the first of them.

    Args:
        result: of the table.
        rows: key columns, measure, published number, expected number, and how many numbers differ in all.
        where: the format of the key columns.
    """
    if rows:
        result.wrong += rows[0][-1]
    for *keys, measure, published, expected, _ in rows:
        found = "nothing is published" if published is None else f"{published:,} is published"
        gives = "nothing" if expected is None else f"{expected:,}"
        result.quote(f"{where.format(*keys)}: {measure}: {found}, the events give {gives}")
