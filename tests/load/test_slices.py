"""Slices, buckets and worker processes give the same tables as one pass, and a stopped run keeps whole slices."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from pipeline.contract.calendar import DAY_US, SECOND_US, rfc3339
from pipeline.contract.settings import Settings
from pipeline.contract.tables import PUBLISHED, Published
from pipeline.load import merge, rollup, session
from pipeline.load.job import DEFAULT_LIMITS, Job, Limits
from pipeline.load.progress import Progress
from pipeline.load.rebuild import Rebuild
from pipeline.run import run
from pipeline.storage import parquet
from pipeline.storage.state import Counts
from tests.support.checked import pretend
from tests.support.command import published, total
from tests.support.data_folder import WORKSPACE, DataFolder, record
from tests.support.project import ROOT

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
FILES = 3


def drop_all(folder: DataFolder) -> None:
    """Add raw files that share workspaces, days and events, and have bad lines."""
    rng = random.Random(1)
    records = [
        record(
            f"e{number % 150}",
            workspace_id=rng.choice([WORKSPACE, OTHER]),
            timestamp=rfc3339(folder.now - DAY_US * rng.choice([0, 1, 2, 20, 21, 40, 70])),
            recorded_at=rfc3339(folder.now + SECOND_US * number),
            usage={"credits": number, "languages": [{"locale": rng.choice(["de", "fr"]), "characters": number}]},
        )
        for number in range(240)
    ]
    for number in range(FILES):
        folder.drop(f"{number}.jsonl", [*records[number::FILES], {"id": "bad"}, {"id": number}])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder that was loaded in one pass."""
    folder = DataFolder(tmp_path_factory.mktemp("whole") / "data")
    drop_all(folder)
    folder.run()
    return folder


def published_state(folder: DataFolder) -> Published | None:
    """Return the content of `published.json`, None if there is none."""
    path = folder.root / PUBLISHED
    return msgspec.json.decode(path.read_bytes(), type=Published) if path.exists() else None


class StopError(Exception):
    """Stops a run."""


class Pause:
    """Records what is published at each point where a run may stop, and stops it at point number `last`."""

    def __init__(self, folder: DataFolder, last: int = 0) -> None:
        self._folder, self._left = folder, last
        self.seen: list[Published | None] = []

    def __call__(self) -> None:
        """Record what is published, and stop the run at the last point."""
        self.seen.append(published_state(self._folder))
        self._left -= 1
        if not self._left:
            raise StopError


def test_slices(whole: DataFolder, folder: DataFolder) -> None:
    """Slices give the same tables as one pass. The report covers all slices, and only the last one moves data_as_of."""
    folder.limits = Limits(slice_bytes=1)
    folder.drop("0.jsonl", b"")
    first = folder.now - DAY_US
    folder.run(first)
    drop_all(folder)
    pause = Pause(folder)
    report = run(folder.settings, folder.now, limits=folder.limits, pause=pause)
    assert published(folder) == published(whole)
    assert (report.files, report.lines, report.accepted, report.rejected) == (FILES, 246, report.accepted, 6)
    assert total(folder) == Counts(246, report.accepted, report.duplicates, 6)
    assert [(found.sequence, found.data_as_of) for found in pause.seen if found] == [
        (sequence, first) for sequence in range(1, FILES + 1) for _ in range(3)
    ]
    last = published_state(folder)
    assert last is not None
    assert (last.sequence, last.data_as_of) == (FILES + 1, folder.now)


def test_first_slices(folder: DataFolder) -> None:
    """data_as_of stays null until the first complete load has finished."""
    folder.limits = Limits(slice_bytes=1)
    drop_all(folder)
    with pytest.raises(StopError):
        run(folder.settings, folder.now, limits=folder.limits, pause=Pause(folder, last=4))
    found = published_state(folder)
    assert found is not None
    assert (found.sequence, found.data_as_of) == (1, None)
    folder.run()
    found = published_state(folder)
    assert found is not None
    assert (found.sequence, found.data_as_of) == (FILES, folder.now)


def test_partial_loads(folder: DataFolder) -> None:
    """Neither a run with paths nor a partial rebuild moves data_as_of."""
    drop_all(folder)
    run(folder.settings, folder.now, paths=[folder.root / "raw/1.jsonl"])
    found = published_state(folder)
    assert found is not None
    assert found.data_as_of is None
    path = folder.root / "published.json"
    path.write_bytes(path.read_bytes().replace(b'"data_as_of":null', b'"data_as_of":0'))  # as earlier releases wrote it
    pretend(path)
    run(folder.settings, folder.now, paths=[folder.root / "raw/1.jsonl"])
    found = published_state(folder)
    assert found is not None
    assert (found.sequence, found.data_as_of) == (2, None)
    folder.run()
    folder.drop("new.jsonl", [record("new", workspace_id=OTHER)])
    run(folder.settings, folder.now + DAY_US, rebuild=Rebuild(frozenset([WORKSPACE])))
    found = published_state(folder)
    assert found is not None
    assert found.data_as_of == folder.now
    assert "new" not in set(folder.events()["id"])


@pytest.mark.parametrize("last", [1, 3, 4, 5, 9])
def test_stopped(whole: DataFolder, folder: DataFolder, last: int) -> None:
    """A run that is stopped between two steps of a slice keeps the slices before it. The next run loads the others."""
    folder.limits = Limits(slice_bytes=1)
    drop_all(folder)
    with pytest.raises(StopError):
        run(folder.settings, folder.now, limits=folder.limits, pause=Pause(folder, last))
    assert not list(folder.root.glob("staging/*"))
    loaded = (last - 1) // 3
    assert total(folder).lines == loaded * 82
    folder.limits = DEFAULT_LIMITS
    report = folder.run()
    assert report.files == FILES - loaded
    assert published(folder) == published(whole)
    assert (total(folder).lines, total(folder).rejected) == (246, 6)


KILLED = """
import os, signal, sys
from itertools import count
from pathlib import Path
from pipeline.contract.settings import Settings
from pipeline.load import merge, rollup, stages
from pipeline.load.job import Limits
from pipeline.run import run

numbers = count(1)

def pause():
    if next(numbers) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

settings = Settings.read({}, data_dir=Path(sys.argv[1]), workers=1)
run(settings, int(sys.argv[3]), pause=pause, limits=Limits(slice_bytes=1))
"""


@pytest.mark.parametrize("last", [5])
def test_killed(whole: DataFolder, folder: DataFolder, last: int) -> None:
    """A run that is killed during a slice keeps the slices before it. The next run loads the others."""
    drop_all(folder)
    command = [sys.executable, "-c", KILLED, str(folder.root), str(last), str(folder.now)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, check=False, env=environment).returncode == -signal.SIGKILL
    loaded = (last - 1) // 3
    assert total(folder).lines == loaded * 82
    assert folder.run().files == FILES - loaded
    assert published(folder) == published(whole)
    assert not list(folder.root.glob("staging/*"))


@pytest.fixture
def small_buckets(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Limit buckets to a few lines; return a list that gets the number of buckets of each slice."""
    folder.limits = Limits(bucket_bytes=5000)
    buckets: list[int] = []

    def noted(**fields: Any) -> Job:
        buckets.append(fields["buckets"])
        return Job(**fields)

    monkeypatch.setattr(session, "Job", noted)
    return buckets


def test_buckets(whole: DataFolder, folder: DataFolder, small_buckets: list[int]) -> None:
    """The tables do not depend on the number of buckets."""
    drop_all(folder)
    report = folder.run()
    assert small_buckets[0] > 10
    assert published(folder) == published(whole)
    assert total(folder) == total(whole)
    assert report.partitions == len(list(folder.root.glob("events/*/*/*.parquet")))


def test_processes(whole: DataFolder, folder: DataFolder, small_buckets: list[int]) -> None:
    """Worker processes with buckets and slices give the same tables."""
    drop_all(folder)
    limits = Limits(bucket_bytes=5000, processes_bytes=0, slice_bytes=60_000)
    run(Settings.read({}, data_dir=folder.root, workers=2), folder.now, limits=limits)
    assert len(small_buckets) == 2
    assert min(small_buckets) > 3
    assert published(folder) == published(whole)
    assert (total(folder).lines, total(folder).rejected) == (246, 6)


class Stages(Progress):
    """Records the amount of work of each stage."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}

    def begin(self, stage: str, what: str, total: int = 0, unit: str = "") -> None:
        """Record the amount of work."""
        assert what
        assert unit or not total
        self.totals[stage] = total


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("rebuild", [None, Rebuild()])
def test_divided_buckets(whole: DataFolder, folder: DataFolder, workers: int, rebuild: Rebuild | None) -> None:
    """Buckets that are too large are divided, and the tables and the counts stay the same."""
    drop_all(folder)
    if rebuild:
        folder.run()
        drop_all(folder)
    limits = Limits(bucket_bytes=5000, processes_bytes=0, buckets=3, bucket_rows_bytes=5000)
    settings, stages = Settings.read({}, data_dir=folder.root, workers=workers), Stages()
    report = run(settings, folder.now, progress=stages, rebuild=rebuild, limits=limits)
    assert stages.totals["divide"] == 3
    assert stages.totals["merge"] > 6
    assert published(folder) == published(whole)
    assert total(folder) == total(whole)
    assert report.accepted == total(whole).accepted
    assert report.partitions == len(list(folder.root.glob("events/*/*/*.parquet")))


def test_portions(whole: DataFolder, folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored days that get late events are read one portion at a time, and the tables stay the same."""
    drop_all(folder)
    first, *later = sorted((folder.root / "raw").iterdir())
    folder.run(paths=[first])
    sizes = []

    def noted(*given: Any) -> Iterator[tuple[slice, pa.Table]]:
        for place, rows in parquet.portions(*given):
            sizes.append((place.stop - place.start, rows.num_rows))
            yield place, rows

    monkeypatch.setattr(merge, "portions", noted)
    monkeypatch.setattr(rollup, "portions", noted)
    folder.limits = Limits(stored_bytes=1, stored_month_bytes=1)
    folder.run(paths=later)
    days, of_months = len(list(folder.root.glob("events/*/*/*.parquet"))), len(list(folder.root.glob("cube/*/*")))
    assert len(sizes) == days + 2 * of_months
    assert all(size == 1 for size, _ in sizes)
    assert sum(rows for _, rows in sizes) > 100
    assert published(folder) == published(whole)
    assert total(folder) == total(whole)


def test_bucket_that_cannot_be_divided(folder: DataFolder) -> None:
    """One UTC day of a workspace is merged as one piece of work, however large it is."""
    folder.drop("day.jsonl", [record(f"e{number}", usage={"credits": 1}) for number in range(50)])
    stages = Stages()
    run(folder.settings, folder.now, progress=stages, limits=Limits(bucket_rows_bytes=1))
    assert (stages.totals["divide"], stages.totals["merge"]) == (1, 1)
    assert folder.cube()["credits"].sum() == 50
