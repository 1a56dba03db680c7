"""Steps 3 and 4: one bucket of approved rows becomes events, cube and actors.

Reads the bucket's approved rows and the partitions they touch; writes staged partitions. A bucket holds whole UTC
months of workspaces, so that no file belongs to two buckets.
"""

from typing import Final

import msgspec
import pyarrow as pa

from pipeline.engine import Engine
from pipeline.partitions import PartitionWriter
from pipeline.reading import Job
from pipeline.store import Operation
from pipeline.tables import ACTORS, CUBE, EVENTS, Manifest, Month, actors_path, cube_path, events_path, manifest_path

_EVENT_DICTIONARIES: Final = ("action", "kind", "resource_type", "user_id", "user_name", "run_status")


class Bucket(msgspec.Struct, frozen=True):
    """What is to be folded, and what the engine may use for it."""

    number: int
    rows: list[str]  # files of approved rows
    threads: int
    memory: str


class BucketReport(msgspec.Struct):
    """What folding one bucket gave."""

    accepted: dict[int, int]  # lines that stand, by source
    operations: dict[str, list[Operation]]  # by workspace
    months: dict[str, dict[str, Month]]  # what stands then, by workspace and changed month
    partitions: int  # (workspace, UTC day) rewritten


def fold(bucket: Bucket, job: Job) -> BucketReport:
    """Fold one bucket: standing versions, changed partitions, their cube and actors."""
    store = job.store
    spill = store.path(f"{job.staging}/spill/{bucket.number}")
    with Engine(spill, threads=bucket.threads, memory=bucket.memory) as engine:
        engine.create("deliveries", rows=[str(store.path(uri)) for uri in bucket.rows])
        touched = [events_path(*key) for key in engine.fetch("touched")]
        stored = [str(store.path(uri)) for uri in touched if store.exists(uri)]
        if stored and job.rebuild is None:
            engine.append("stored", "deliveries", files=stored)
        engine.create("beaten")
        engine.view("standing")
        engine.create("changed", force=job.force or job.rebuild is not None)
        return _write(engine, job)


def read_manifest(job: Job, workspace_id: str) -> Manifest:
    """Return what stands of a workspace; an empty manifest where nothing does."""
    content = job.store.read(manifest_path(workspace_id))
    return msgspec.json.decode(content, type=Manifest) if content else Manifest(workspace_id, "", {})


def _write(engine: Engine, job: Job) -> BucketReport:
    days: list[tuple[str, str]] = engine.fetch("changed_days")
    months: list[tuple[str, str]] = engine.fetch("changed_months")
    stand = [
        found
        for workspace_id, month in months
        if job.rebuild is None and (found := read_manifest(job, workspace_id).months.get(month))
    ]
    _read(engine, job, "stored_cube", [month.cube for month in stand], CUBE)
    _read(engine, job, "stored_actors", [month.actors for month in stand], ACTORS)
    engine.create("allocated")

    def writer(schema: pa.Schema, dictionaries: tuple[str, ...], statistics: tuple[str, ...]) -> PartitionWriter:
        return PartitionWriter(
            job.store, job.staging, job.run, schema, dictionaries=dictionaries, statistics=statistics
        )

    events = writer(EVENTS, _EVENT_DICTIONARIES, ("timestamp",)).write(engine.arrow("events"), days, events_path)
    cube = writer(CUBE, ("locale",), ()).write(
        engine.arrow("cube"), months, lambda workspace_id, month: cube_path(workspace_id, month, job.run)
    )
    actors = writer(ACTORS, ("user_id", "action"), ()).write(
        engine.arrow("actors"), months, lambda workspace_id, month: actors_path(workspace_id, month, job.run)
    )
    report = BucketReport(dict(engine.fetch("accepted")), {}, {}, len(days))
    for operations in (events, cube, actors):
        for (workspace_id, _), operation in operations.items():
            report.operations.setdefault(workspace_id, []).append(operation)
    for key in months:
        report.months.setdefault(key[0], {})[key[1]] = Month(cube=cube[key].final, actors=actors[key].final)
    return report


def _read(engine: Engine, job: Job, name: str, uris: list[str], schema: pa.Schema) -> None:
    """Make a table of files that stand, by `sql/<name>.sql`; of none, an empty one."""
    if uris:
        engine.create(name, files=[str(job.store.path(uri)) for uri in uris])
    else:
        engine.empty(name, pa.schema([*schema, pa.field("workspace_id", pa.string())]))
