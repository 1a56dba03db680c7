"""Large loads: in slices, in buckets and in several processes the tables are the same, and a stop costs nothing."""

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
from tests.support.command import published, total
from tests.support.data_folder import WORKSPACE, DataFolder, record
from tests.support.project import ROOT

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
FILES = 3


def drop_all(folder: DataFolder) -> None:
    """Put files there that share workspaces, days and events, have bad lines and end without a newline."""
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
    """Return a folder that was loaded in one go."""
    folder = DataFolder(tmp_path_factory.mktemp("whole") / "data")
    drop_all(folder)
    folder.run()
    return folder


def stands(folder: DataFolder) -> Published | None:
    """Return what is published."""
    path = folder.root / PUBLISHED
    return msgspec.json.decode(path.read_bytes(), type=Published) if path.exists() else None


class StopError(Exception):
    """Raised to stop a run."""


class Pause:
    """Notes what is published whenever a run may be stopped; at the last of some it stops it."""

    def __init__(self, folder: DataFolder, last: int = 0) -> None:
        self._house, self._left = folder, last
        self.seen: list[Published | None] = []

    def __call__(self) -> None:
        """Take note, and stop."""
        self.seen.append(stands(self._house))
        self._left -= 1
        if not self._left:
            raise StopError


def test_slices(whole: DataFolder, folder: DataFolder) -> None:
    """The tables are those of one go, the report is of all slices, and data_as_of moves with the last one only."""
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
    last = stands(folder)
    assert last is not None
    assert (last.sequence, last.data_as_of) == (FILES + 1, folder.now)


def test_first_slices(folder: DataFolder) -> None:
    """Before everything is in for the first time the data do not pass for fresh."""
    folder.limits = Limits(slice_bytes=1)
    drop_all(folder)
    with pytest.raises(StopError):
        run(folder.settings, folder.now, limits=folder.limits, pause=Pause(folder, last=4))
    found = stands(folder)
    assert found is not None
    assert (found.sequence, found.data_as_of) == (1, None)
    folder.run()
    found = stands(folder)
    assert found is not None
    assert (found.sequence, found.data_as_of) == (FILES, folder.now)


def test_what_does_not_load_everything(folder: DataFolder) -> None:
    """Neither the first run of some paths nor a rebuild of a part says that all raw files are in."""
    drop_all(folder)
    run(folder.settings, folder.now, paths=[folder.root / "raw/1.jsonl"])
    found = stands(folder)
    assert found is not None
    assert found.data_as_of is None
    path = folder.root / "published.json"
    path.write_bytes(path.read_bytes().replace(b'"data_as_of":null', b'"data_as_of":0'))  # what earlier releases wrote
    run(folder.settings, folder.now, paths=[folder.root / "raw/1.jsonl"])
    found = stands(folder)
    assert found is not None
    assert (found.sequence, found.data_as_of) == (2, None)
    folder.run()
    folder.drop("new.jsonl", [record("new", workspace_id=OTHER)])
    run(folder.settings, folder.now + DAY_US, rebuild=Rebuild(frozenset([WORKSPACE])))
    found = stands(folder)
    assert found is not None
    assert found.data_as_of == folder.now
    assert "new" not in set(folder.events()["id"])


@pytest.mark.parametrize("last", [1, 3, 4, 5, 9])
def test_stopped(whole: DataFolder, folder: DataFolder, last: int) -> None:
    """Stopped between any two steps of any slice, the slices before are in, and the next run loads the others."""
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
    """Killed in the middle of a slice, the slices before are in, and the next run loads the others."""
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
    """Let buckets hold a few lines; return how many each slice has."""
    folder.limits = Limits(bucket_bytes=5000)
    buckets: list[int] = []

    def noted(**fields: Any) -> Job:
        buckets.append(fields["buckets"])
        return Job(**fields)

    monkeypatch.setattr(session, "Job", noted)
    return buckets


def test_buckets(whole: DataFolder, folder: DataFolder, small_buckets: list[int]) -> None:
    """However many buckets the rows are shuffled into, the tables are the same."""
    drop_all(folder)
    report = folder.run()
    assert small_buckets[0] > 10
    assert published(folder) == published(whole)
    assert total(folder) == total(whole)
    assert report.partitions == len(list(folder.root.glob("events/*/*/*.parquet")))


def test_processes(whole: DataFolder, folder: DataFolder, small_buckets: list[int]) -> None:
    """Worker processes, with buckets and slices, make the same tables."""
    drop_all(folder)
    limits = Limits(bucket_bytes=5000, processes_bytes=0, slice_bytes=60_000)
    run(Settings.read({}, data_dir=folder.root, workers=2), folder.now, limits=limits)
    assert len(small_buckets) == 2
    assert min(small_buckets) > 3
    assert published(folder) == published(whole)
    assert (total(folder).lines, total(folder).rejected) == (246, 6)


class Stages(Progress):
    """Notes how much there is to do in each stage."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}

    def begin(self, stage: str, what: str, total: int = 0, unit: str = "") -> None:
        """Take note."""
        assert what
        assert unit or not total
        self.totals[stage] = total


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("rebuild", [None, Rebuild()])
def test_divided_buckets(whole: DataFolder, folder: DataFolder, workers: int, rebuild: Rebuild | None) -> None:
    """Buckets that turn out too large are divided, and the tables and the counts are the same."""
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
    """Late events bring into memory what stands of the days they touch a portion at a time; the tables are the same."""
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
    """A single UTC day of a workspace is merged in one piece, however large it is."""
    folder.drop("day.jsonl", [record(f"e{number}", usage={"credits": 1}) for number in range(50)])
    stages = Stages()
    run(folder.settings, folder.now, progress=stages, limits=Limits(bucket_rows_bytes=1))
    assert (stages.totals["divide"], stages.totals["merge"]) == (1, 1)
    assert folder.cube()["credits"].sum() == 50
