"""Step 4: cube and actors of the UTC months that have a changed day.

Reads the rows that the merged buckets contribute, and the stored months; writes the new files of the months under its
staging folder.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.contract.tables import ACTORS, CUBE, Month, actors_path, cube_path
from pipeline.load import arrow_files
from pipeline.load.job import Job
from pipeline.load.results import RollupResult, StagedFile
from pipeline.storage.engine import Engine
from pipeline.storage.parquet import PartitionWriter, portions
from pipeline.storage.store import Operation

_Month = tuple[str, str]  # workspace and UTC month

_WORKSPACE: Final = pa.field("workspace_id", pa.string(), nullable=False)
# For each table: its columns, those of them that have few distinct values, and the function for a file's path.
_TABLES: Final = {"cube": (CUBE, ("locale",), cube_path), "actors": (ACTORS, ("user_id", "action"), actors_path)}


class MonthGroup(msgspec.Struct, frozen=True):
    """Some months that are rolled up together."""

    days: list[tuple[str, str]]  # (workspace, UTC day): all changed days of each month
    cube: list[StagedFile]  # the new rows of these days
    actors: list[StagedFile]  # likewise


def roll_up(group: MonthGroup, job: Job) -> RollupResult:
    """Write cube and actors of some months: new rows for the changed days, stored rows for the other days.

    A month without any event gets no files.

    Raises:
        DamagedError: a stored month is not readable.
    """
    days: dict[_Month, list[str]] = {}
    for workspace_id, day in sorted(group.days):
        days.setdefault((workspace_id, day[:7]), []).append(day)
    months = {} if job.rebuild else job.store.months({workspace_id for workspace_id, _ in days})
    stored = {(workspace_id, month): months.get(workspace_id, {}).get(month) for workspace_id, month in days}
    threads = job.resources.threads
    with Engine(
        __package__, job.store.folder(f"{job.staging}/spill"), threads=threads, memory=job.resources.memory
    ) as engine:
        actors_files = {key: month.actors if month else None for key, month in stored.items()}
        actors = _write(engine, job, "actors", group.actors, actors_files, days, threads)
        # Every event has a row among the actors, but not in the cube.
        cube_files = {key: month.cube if month else None for key, month in stored.items() if key in actors}
        cube = _write(engine, job, "cube", group.cube, cube_files, days, threads)
    result = RollupResult({}, {})
    for workspace_id, month in days:
        if (workspace_id, month) not in actors:
            result.months.setdefault(workspace_id, {})[month] = None
            continue
        files = [cube[workspace_id, month], actors[workspace_id, month]]
        result.operations.setdefault(workspace_id, []).extend(files)
        result.months.setdefault(workspace_id, {})[month] = Month(cube=files[0].final, actors=files[1].final)
    return result


def _write(
    engine: Engine,
    job: Job,
    name: Literal["cube", "actors"],
    day_files: list[StagedFile],
    stored_files: dict[_Month, str | None],
    days: dict[_Month, list[str]],
    threads: int,
) -> dict[_Month, Operation]:
    """Stage the files of one table.

    Args:
        engine: computes the rows.
        job: the run.
        name: the table.
        day_files: with the new rows of the changed days, sorted by workspace.
        stored_files: the months to write, each with its stored file.
        days: the changed days of each month.
        threads: how many files are read, or written, at once.

    Returns:
        The operation for each month; for the actors, only for the months that have rows.
    """
    schema, dictionaries, path = _TABLES[name]
    columns = pa.schema([_WORKSPACE, *schema])
    # lz4, since these files are small, and the first reader of a workspace waits for them.
    writer = PartitionWriter(
        job.store, job.staging, job.run, schema, dictionaries=dictionaries, compression="lz4", threads=threads
    )
    keys = list(stored_files)
    written: dict[_Month, Operation] = {}
    uris = list(stored_files.values())
    known = job.store.digests([uri for uri in uris if uri is not None])
    job.store.gather([file.uri for file in day_files])
    for part, stored in portions(job.store, uris, schema, threads, job.limits.stored_month_bytes, known):
        months = keys[part]
        new = (_between(arrow_files.read(job, file.uri, columns), months[0][0], months[-1][0]) for file in day_files)
        engine.show("days", _days({key: days[key] for key in months}))
        engine.show(f"day_{name}", pa.concat_tables([columns.empty_table(), *new]))
        engine.show(f"stored_{name}", stored)
        found = engine.arrow(name)
        rows = found.select(schema.names).cast(schema).combine_chunks()
        if name == "actors":
            filled = found.group_by(["workspace_id", "partition"]).aggregate([]).to_pydict()
            months = list(zip(filled["workspace_id"], filled["partition"], strict=True))
        written |= writer.write(found, _slices(rows), months, partial(path, run=job.run))
    return dict(zip(written, job.store.deliver(list(written.values())), strict=True))


def _slices(rows: pa.Table) -> Callable[[int, int], pa.Table]:
    return lambda start, stop: rows.slice(start, stop - start)


def _between(rows: pa.Table, first: str, last: str) -> pa.Table:
    """Return the rows from one workspace to another; `rows` are sorted by workspace, and the others stay unread."""
    workspaces = rows["workspace_id"]

    def name(row: int) -> str:
        return str(workspaces[row])

    start = bisect_left(range(rows.num_rows), first, key=name)
    return rows.slice(start, bisect_right(range(rows.num_rows), last, key=name) - start)


def _days(days: dict[_Month, list[str]]) -> pa.Table:
    """Return days as a table of `workspace_id` and `day`."""
    workspaces = [workspace_id for (workspace_id, _), changed in days.items() for _ in changed]
    texts = [day for changed in days.values() for day in changed]
    return pa.table({"workspace_id": pa.array(workspaces), "day": pa.array(np.array(texts, "datetime64[D]"))})
