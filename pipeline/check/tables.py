"""Whether the numbers that stand are those that follow from the events, computed in another way than the load does.

Reads the files of events, cube and actors, group by group of (workspace, UTC month), so that memory stays bounded;
writes nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pipeline.check.files import Unit
from pipeline.check.reader import PUBLISHED_ACTORS, PUBLISHED_CUBE, STORED_EVENTS, Reading
from pipeline.check.report import SHOWN, CheckReport, MovedId, TableResult
from pipeline.contract.tables import events_path
from pipeline.load.progress import Progress
from pipeline.storage.engine import Engine, EngineError

_GROUP_BYTES: Final = 32_000_000
# Each file of a group costs some 200 kB that the engine's limit does not cover.
_GROUP_FILES: Final = 600

# As `sql/stored_partitions.sql` counts them.
_FAULTS: Final = (
    "rows of another UTC day",
    "rows that repeat an id",
    "rows newer than the one above them",
    "rows with a locale twice",
)


def compare(units: list[Unit], reading: Reading, report: CheckReport, progress: Progress) -> None:
    """Compare all units, which are sorted by workspace and month, and find the ids that stand on several days."""
    progress.begin("compare", f"comparing {len(units):,} months of workspaces", len(units), "months")
    for group in _groups([unit] for unit in units):
        _compare(group, reading, report)
        progress.advance(len(group))
    by_workspace: dict[str, list[Unit]] = {}
    for unit in units:
        by_workspace.setdefault(unit.workspace_id, []).append(unit)
    progress.begin("moved", "looking for ids on several days", len(units), "months")
    for group in _groups(by_workspace.values()):
        _find_moved(group, reading, report)
        progress.advance(len(group))
    for kind, result in ((PUBLISHED_CUBE, report.cube), (PUBLISHED_ACTORS, report.actors)):
        standing = [unit.workspace_id for unit in units if reading.files(kind, unit)]
        result.files, result.workspaces = len(standing), len(set(standing))


def _compare(units: list[Unit], reading: Reading, report: CheckReport) -> None:
    try:
        with reading.engine() as engine:
            complete = reading.load(engine, units)
            if complete:
                _compare_loaded(engine, units, reading, report)
    except EngineError as error:  # numbers so damaged that they cannot be added: the other groups can
        first, last = units[0], units[-1]
        where = f"{first.workspace_id} {first.month} to {last.workspace_id} {last.month}"
        report.events.fault(f"{where} could not be compared: {str(error).splitlines()[0]}")
    else:
        if not complete:
            _compare(units, reading, report)


def _compare_loaded(engine: Engine, units: list[Unit], reading: Reading, report: CheckReport) -> None:
    engine.create("duplicates")
    engine.view("distinct_events")
    for kind, expected in ((PUBLISHED_CUBE, "expected_cube"), (PUBLISHED_ACTORS, "expected_actors")):
        standing = [unit for unit in units if reading.files(kind, unit)]
        engine.create(
            expected,
            workspaces=[unit.workspace_id for unit in standing],
            months=[unit.month for unit in standing],
            **reading.days,
        )
    ((cube_rows, actors_rows),) = engine.fetch("compared")
    report.cube.rows += cube_rows
    report.actors.rows += actors_rows
    for workspace_id, day, rows, *faults in engine.fetch("stored_partitions"):
        report.events.rows += rows
        for what, many in zip(_FAULTS, faults, strict=True):
            if many:
                report.events.fault(f"{events_path(workspace_id, day)}: {what}: {many:,}")
    _tell(report.cube, engine.fetch("differing_cube", most=SHOWN), "workspace {}, quarter {}, {}")
    _tell(report.actors, engine.fetch("differing_actors", most=SHOWN), "workspace {}, day {}, {}, {}")


def _find_moved(units: list[Unit], reading: Reading, report: CheckReport) -> None:
    paths = reading.paths(STORED_EVENTS, units)
    if not paths:
        return
    with reading.engine() as engine:
        rows = engine.fetch("moved_ids", files=paths, most=SHOWN)
    if rows:
        report.moved.ids += rows[0][-1]
    report.moved.first += [MovedId(*row[:-1]) for row in rows][: SHOWN - len(report.moved.first)]


def _groups(pieces: Iterable[list[Unit]]) -> Iterator[list[Unit]]:
    """Yield as many pieces together as may be in memory at once; a larger piece comes alone."""
    group: list[Unit] = []
    size = files = 0
    for piece in pieces:
        more_bytes = sum(unit.bytes for unit in piece)
        more_files = sum(len(unit.events) + 2 for unit in piece)
        if group and (size + more_bytes > _GROUP_BYTES or files + more_files > _GROUP_FILES):
            yield group
            group, size, files = [], 0, 0
        group += piece
        size, files = size + more_bytes, files + more_files
    if group:
        yield group


def _tell(result: TableResult, rows: list[tuple[Any, ...]], where: str) -> None:
    """Count the numbers that differ and tell the first ones."""
    if rows:
        result.wrong += rows[0][-1]
    for *keys, measure, published, expected, _ in rows:
        stands = "nothing stands" if published is None else f"{published:,} stands"
        gives = "nothing" if expected is None else f"{expected:,}"
        result.tell(f"{where.format(*keys)}: {measure}: {stands}, the events give {gives}")
