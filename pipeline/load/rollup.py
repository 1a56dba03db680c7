"""Step 4: cube and actors of the UTC months with a changed day.

Reads what the folded buckets give to them, and the months that stand; writes, under the run's staging folder, the
months' new files.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.contract.tables import ACTORS, CUBE, Month, actors_path, cube_path
from pipeline.load.job import Job
from pipeline.load.merge import Resources, streamed
from pipeline.load.publish import read_manifest
from pipeline.load.results import RollupResult
from pipeline.storage.engine import Engine
from pipeline.storage.parquet import PartitionWriter, portions
from pipeline.storage.store import Operation

_Key = tuple[str, str]  # workspace and UTC month

# Of what stands, so much is merged at once.
_STORED_BYTES: Final = 32 << 20
_WORKSPACE: Final = pa.field("workspace_id", pa.string(), nullable=False)
# The columns of each table, those of them with few different values, and where it lies.
_TABLES: Final = {"cube": (CUBE, ("locale",), cube_path), "actors": (ACTORS, ("user_id", "action"), actors_path)}


class MonthGroup(msgspec.Struct, frozen=True):
    """Some months, by the days of them that changed, and where their new rows are among others."""

    number: int
    days: list[tuple[str, str]]  # (workspace, UTC day), all changed days of each of the months
    cube: list[str]
    actors: list[str]
    resources: Resources


def roll_up(months: MonthGroup, job: Job) -> RollupResult:
    """Make the months' cube and actors: the changed days anew, the other days as they stand.

    A month of which no event is left has none.

    Raises:
        DamagedError: a month that stands is not readable.
    """
    days: dict[_Key, list[str]] = {}
    for workspace_id, day in sorted(months.days):
        days.setdefault((workspace_id, day[:7]), []).append(day)
    stand = {
        (workspace_id, month): None if job.rebuild else read_manifest(job, workspace_id).months.get(month)
        for workspace_id, month in days
    }
    with Engine(
        __package__,
        job.store.path(f"{job.staging}/spill"),
        threads=months.resources.threads,
        memory=months.resources.memory,
    ) as engine:
        threads = months.resources.threads
        lists = {key: month.actors if month else None for key, month in stand.items()}
        actors = _write(engine, job, "actors", months.actors, lists, days, threads)
        # Every event has a row among the actors, but not in the cube.
        cubes = {key: month.cube if month else None for key, month in stand.items() if key in actors}
        cube = _write(engine, job, "cube", months.cube, cubes, days, threads)
    report = RollupResult({}, {})
    for workspace_id, month in days:
        if (workspace_id, month) not in actors:
            report.months.setdefault(workspace_id, {})[month] = None
            continue
        files = [cube[workspace_id, month], actors[workspace_id, month]]
        report.operations.setdefault(workspace_id, []).extend(files)
        report.months.setdefault(workspace_id, {})[month] = Month(cube=files[0].final, actors=files[1].final)
    return report


def _write(
    engine: Engine,
    job: Job,
    name: Literal["cube", "actors"],
    folded: list[str],
    stand: dict[_Key, str | None],
    days: dict[_Key, list[str]],
    threads: int,
) -> dict[_Key, Operation]:
    """Stage the files of one table, of the months in `stand`, which has those that stand; no actors without rows."""
    schema, dictionaries, path = _TABLES[name]
    columns = pa.schema([_WORKSPACE, *schema])
    # Small, and what a workspace's first reader waits for.
    writer = PartitionWriter(
        job.store, job.staging, job.run, schema, dictionaries=dictionaries, compression="lz4", threads=threads
    )
    keys = list(stand)
    written: dict[_Key, Operation] = {}
    for place, stored in portions(job.store, list(stand.values()), schema, threads, _STORED_BYTES):
        theirs = keys[place]
        new = (_between(streamed(job, uri, columns), theirs[0][0], theirs[-1][0]) for uri in folded)
        engine.show("days", _days({key: days[key] for key in theirs}))
        engine.show(f"day_{name}", pa.concat_tables([columns.empty_table(), *new]))
        engine.show(f"stored_{name}", stored)
        found = engine.arrow(name)
        rows = found.select(schema.names).cast(schema).combine_chunks()
        if name == "actors":
            filled = found.group_by(["workspace_id", "partition"]).aggregate([]).to_pydict()
            theirs = list(zip(filled["workspace_id"], filled["partition"], strict=True))
        written |= writer.write(found, _slices(rows), theirs, partial(path, run=job.run))
    return written


def _slices(rows: pa.Table) -> Callable[[int, int], pa.Table]:
    return lambda start, stop: rows.slice(start, stop - start)


def _between(rows: pa.Table, first: str, last: str) -> pa.Table:
    """Return the rows of the workspaces from one to another, of rows in their order; the others are not looked at."""
    workspaces = rows["workspace_id"]

    def name(row: int) -> str:
        return str(workspaces[row])

    start = bisect_left(range(rows.num_rows), first, key=name)
    return rows.slice(start, bisect_right(range(rows.num_rows), last, key=name) - start)


def _days(days: dict[_Key, list[str]]) -> pa.Table:
    workspaces = [workspace_id for (workspace_id, _), changed in days.items() for _ in changed]
    texts = [day for changed in days.values() for day in changed]
    return pa.table({"workspace_id": pa.array(workspaces), "day": pa.array(np.array(texts, "datetime64[D]"))})
