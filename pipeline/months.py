"""Step 4: cube and actors of the UTC months with a changed day.

Reads what the folded buckets give to them, and the months that stand; writes, under the run's staging folder, the
months' new files.
"""

from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.engine import Engine
from pipeline.folding import Power, streamed
from pipeline.job import Job
from pipeline.partitions import PartitionWriter, read
from pipeline.store import Operation
from pipeline.tables import ACTORS, CUBE, Manifest, Month, actors_path, cube_path, manifest_path

_WORKSPACE: Final = pa.field("workspace_id", pa.string(), nullable=False)
_DICTIONARIES: Final = {"cube": ("locale",), "actors": ("user_id", "action")}


class Months(msgspec.Struct, frozen=True):
    """Some months, by the days of them that changed, and where their new rows are among others."""

    number: int
    days: list[tuple[str, str]]  # (workspace, UTC day), all changed days of each of the months
    cube: list[str]
    actors: list[str]
    power: Power


class MonthsReport(msgspec.Struct):
    """What became of them, by workspace."""

    operations: dict[str, list[Operation]]
    months: dict[str, dict[str, Month]]


def merge(months: Months, job: Job) -> MonthsReport:
    """Make the months' cube and actors: the changed days anew, the other days as they stand.

    Raises:
        DamagedError: a month that stands is not readable.
    """
    keys = sorted({(workspace_id, day[:7]) for workspace_id, day in months.days})
    stand = [
        found
        for workspace_id, month in keys
        if job.rebuild is None and (found := read_manifest(job, workspace_id).months.get(month))
    ]
    report = MonthsReport({}, {})
    files: dict[tuple[str, str], list[str]] = {key: [] for key in keys}
    with Engine(
        job.store.path(f"{job.staging}/spill/months-{months.number}"),
        threads=months.power.threads,
        memory=months.power.memory,
    ) as engine:
        engine.show("days", _days(months.days))
        for name, schema, new, old, path in (
            ("cube", CUBE, months.cube, [month.cube for month in stand], cube_path),
            ("actors", ACTORS, months.actors, [month.actors for month in stand], actors_path),
        ):
            engine.show(f"folded_{name}", streamed(job, new, pa.schema([_WORKSPACE, *schema])))
            engine.show(f"stored_{name}", read(job.store, old, schema))
            found = engine.arrow(name)
            rows = found.select(schema.names).cast(schema).combine_chunks()
            writer = PartitionWriter(job.store, job.staging, job.run, schema, dictionaries=_DICTIONARIES[name])
            written = writer.write(
                found,
                lambda start, stop, rows=rows: rows.slice(start, stop - start),
                keys,
                lambda workspace_id, month, path=path: path(workspace_id, month, job.run),
            )
            for key, operation in written.items():
                report.operations.setdefault(key[0], []).append(operation)
                files[key].append(operation.final)
    for (workspace_id, month), (cube, actors) in files.items():
        report.months.setdefault(workspace_id, {})[month] = Month(cube=cube, actors=actors)
    return report


def read_manifest(job: Job, workspace_id: str) -> Manifest:
    """Return what stands of a workspace; an empty manifest where nothing does."""
    content = job.store.read(manifest_path(workspace_id))
    return msgspec.json.decode(content, type=Manifest) if content else Manifest(workspace_id, "", {})


def _days(days: list[tuple[str, str]]) -> pa.Table:
    workspaces, texts = zip(*days, strict=True)
    return pa.table({"workspace_id": pa.array(workspaces), "day": pa.array(np.array(texts, "datetime64[D]"))})
