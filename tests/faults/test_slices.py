"""Large loads: in slices, in buckets and in several processes the tables are the same, and a stop costs nothing."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from pipeline import run as steps
from pipeline.contract.calendar import DAY_US, SECOND_US, rfc3339
from pipeline.contract.settings import Settings
from pipeline.contract.tables import PUBLISHED, Published
from pipeline.load import merge, rollup, session
from pipeline.load import stages as work
from pipeline.load.job import Job
from pipeline.load.progress import Progress
from pipeline.load.rebuild import Rebuild
from pipeline.run import run
from pipeline.storage import parquet
from pipeline.storage.state import Counts
from pipeline.storage.store import Store
from tests.command import published, total
from tests.conftest import WORKSPACE, House, record

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
FILES = 3


def drop_all(house: House) -> None:
    """Put files there that share workspaces, days and events, have bad lines and end without a newline."""
    rng = random.Random(1)
    records = [
        record(
            f"e{number % 150}",
            workspace_id=rng.choice([WORKSPACE, OTHER]),
            timestamp=rfc3339(house.now - DAY_US * rng.choice([0, 1, 2, 20, 21, 40, 70])),
            recorded_at=rfc3339(house.now + SECOND_US * number),
            usage={"credits": number, "languages": [{"locale": rng.choice(["de", "fr"]), "characters": number}]},
        )
        for number in range(240)
    ]
    for number in range(FILES):
        house.drop(f"{number}.jsonl", [*records[number::FILES], {"id": "bad"}, {"id": number}])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return a house that was loaded in one go."""
    house = House(tmp_path_factory.mktemp("whole") / "data")
    drop_all(house)
    house.run()
    return house


def stands(house: House) -> Published | None:
    """Return what is published."""
    path = house.root / PUBLISHED
    return msgspec.json.decode(path.read_bytes(), type=Published) if path.exists() else None


class StopError(Exception):
    """Raised to stop a run."""


class Pause:
    """Notes what is published whenever a run may be stopped; at the last of some it stops it."""

    def __init__(self, house: House, last: int = 0) -> None:
        self._house, self._left = house, last
        self.seen: list[Published | None] = []

    def __call__(self) -> None:
        """Take note, and stop."""
        self.seen.append(stands(self._house))
        self._left -= 1
        if not self._left:
            raise StopError


def test_slices(whole: House, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables are those of one go, the report is of all slices, and data_as_of moves with the last one only."""
    monkeypatch.setattr(steps, "_SLICE_BYTES", 1)
    house.drop("0.jsonl", b"")
    first = house.now - DAY_US
    house.run(first)
    drop_all(house)
    pause = Pause(house)
    report = run(house.settings, house.now, pause=pause)
    assert published(house) == published(whole)
    assert (report.files, report.lines, report.accepted, report.rejected) == (FILES, 246, report.accepted, 6)
    assert total(house) == Counts(246, report.accepted, report.duplicates, 6)
    assert [(found.sequence, found.data_as_of) for found in pause.seen if found] == [
        (sequence, first) for sequence in range(1, FILES + 1) for _ in range(3)
    ]
    last = stands(house)
    assert last is not None
    assert (last.sequence, last.data_as_of) == (FILES + 1, house.now)


def test_first_slices(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before everything is in for the first time the data do not pass for fresh."""
    monkeypatch.setattr(steps, "_SLICE_BYTES", 1)
    drop_all(house)
    with pytest.raises(StopError):
        run(house.settings, house.now, pause=Pause(house, last=4))
    found = stands(house)
    assert found is not None
    assert (found.sequence, found.data_as_of) == (1, None)
    house.run()
    found = stands(house)
    assert found is not None
    assert (found.sequence, found.data_as_of) == (FILES, house.now)


def test_what_does_not_load_everything(house: House) -> None:
    """Neither the first run of some paths nor a rebuild of a part says that all raw files are in."""
    drop_all(house)
    run(house.settings, house.now, paths=[house.root / "raw/1.jsonl"])
    found = stands(house)
    assert found is not None
    assert found.data_as_of is None
    path = house.root / "published.json"
    path.write_bytes(path.read_bytes().replace(b'"data_as_of":null', b'"data_as_of":0'))  # what earlier releases wrote
    run(house.settings, house.now, paths=[house.root / "raw/1.jsonl"])
    found = stands(house)
    assert found is not None
    assert (found.sequence, found.data_as_of) == (2, None)
    house.run()
    house.drop("new.jsonl", [record("new", workspace_id=OTHER)])
    run(house.settings, house.now + DAY_US, rebuild=Rebuild(frozenset([WORKSPACE])))
    found = stands(house)
    assert found is not None
    assert found.data_as_of == house.now
    assert "new" not in set(house.events()["id"])


@pytest.mark.parametrize("last", [1, 3, 4, 5, 9])
def test_stopped(whole: House, house: House, monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    """Stopped between any two steps of any slice, the slices before are in, and the next run loads the others."""
    monkeypatch.setattr(steps, "_SLICE_BYTES", 1)
    drop_all(house)
    with pytest.raises(StopError):
        run(house.settings, house.now, pause=Pause(house, last))
    assert not list(house.root.glob("staging/*"))
    loaded = (last - 1) // 3
    assert total(house).lines == loaded * 82
    monkeypatch.undo()
    report = house.run()
    assert report.files == FILES - loaded
    assert published(house) == published(whole)
    assert (total(house).lines, total(house).rejected) == (246, 6)


KILLED = """
import os, signal, sys
from itertools import count
from pathlib import Path
from pipeline.load import merge, rollup, stages as work
from pipeline import run as steps
from pipeline.contract.settings import Settings

numbers = count(1)
steps._SLICE_BYTES = 1

def pause():
    if next(numbers) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

steps.run(Settings.read({}, data_dir=Path(sys.argv[1]), workers=1), int(sys.argv[3]), pause=pause)
"""


@pytest.mark.parametrize("last", [5])
def test_killed(whole: House, house: House, last: int) -> None:
    """Killed in the middle of a slice, the slices before are in, and the next run loads the others."""
    drop_all(house)
    command = [sys.executable, "-c", KILLED, str(house.root), str(last), str(house.now)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run(command, check=False, env=environment).returncode == -signal.SIGKILL
    loaded = (last - 1) // 3
    assert total(house).lines == loaded * 82
    assert house.run().files == FILES - loaded
    assert published(house) == published(whole)
    assert not list(house.root.glob("staging/*"))


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let buckets hold a few lines; return how many each slice has."""
    monkeypatch.setattr(steps, "_BUCKET_BYTES", 5000)
    buckets: list[int] = []

    def noted(**fields: Any) -> Job:
        buckets.append(fields["buckets"])
        return Job(**fields)

    monkeypatch.setattr(session, "Job", noted)
    return buckets


def test_buckets(whole: House, house: House, small_buckets: list[int]) -> None:
    """However many buckets the rows are shuffled into, the tables are the same."""
    drop_all(house)
    report = house.run()
    assert small_buckets[0] > 10
    assert published(house) == published(whole)
    assert total(house) == total(whole)
    assert report.partitions == len(list(house.root.glob("events/*/*/*.parquet")))


def test_processes(whole: House, house: House, small_buckets: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes, with buckets and slices, make the same tables."""
    monkeypatch.setattr(steps, "_PROCESSES_BYTES", 0)
    monkeypatch.setattr(steps, "_SLICE_BYTES", 60_000)
    drop_all(house)
    run(Settings.read({}, data_dir=house.root, workers=2), house.now)
    assert len(small_buckets) == 2
    assert min(small_buckets) > 3
    assert published(house) == published(whole)
    assert (total(house).lines, total(house).rejected) == (246, 6)


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
def test_divided_buckets(
    whole: House, house: House, monkeypatch: pytest.MonkeyPatch, workers: int, rebuild: Rebuild | None
) -> None:
    """Buckets that turn out too large are divided, and the tables and the counts are the same."""
    drop_all(house)
    if rebuild:
        house.run()
        drop_all(house)
    monkeypatch.setattr(steps, "_BUCKET_BYTES", 5000)
    monkeypatch.setattr(steps, "_PROCESSES_BYTES", 0)
    monkeypatch.setattr(steps, "BUCKETS_MAX", 2)
    monkeypatch.setattr(work, "_ROWS_BYTES", 5000)
    stages = Stages()
    report = run(Settings.read({}, data_dir=house.root, workers=workers), house.now, progress=stages, rebuild=rebuild)
    assert stages.totals["divide"] == 2
    assert stages.totals["fold"] > 4
    assert published(house) == published(whole)
    assert total(house) == total(whole)
    assert report.accepted == total(whole).accepted
    assert report.partitions == len(list(house.root.glob("events/*/*/*.parquet")))


def test_portions(whole: House, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late events bring into memory what stands of the days they touch a portion at a time; the tables are the same."""
    drop_all(house)
    first, *later = sorted((house.root / "raw").iterdir())
    house.run(paths=[first])
    sizes = []

    def noted(store: Store, uris: list[str | None], *given: Any) -> Iterator[tuple[slice, pa.Table]]:
        schema, threads, _ = given
        for place, rows in parquet.portions(store, uris, schema, threads, most_bytes=1):
            sizes.append((place.stop - place.start, rows.num_rows))
            yield place, rows

    monkeypatch.setattr(merge, "portions", noted)
    monkeypatch.setattr(rollup, "portions", noted)
    house.run(paths=later)
    days, of_months = len(list(house.root.glob("events/*/*/*.parquet"))), len(list(house.root.glob("cube/*/*")))
    assert len(sizes) == days + 2 * of_months
    assert all(size == 1 for size, _ in sizes)
    assert sum(rows for _, rows in sizes) > 100
    assert published(house) == published(whole)
    assert total(house) == total(whole)


def test_bucket_that_cannot_be_divided(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single UTC day of a workspace is folded in one piece, however large it is."""
    monkeypatch.setattr(work, "_ROWS_BYTES", 1)
    house.drop("day.jsonl", [record(f"e{number}", usage={"credits": 1}) for number in range(50)])
    stages = Stages()
    run(house.settings, house.now, progress=stages)
    assert (stages.totals["divide"], stages.totals["fold"]) == (1, 1)
    assert house.cube()["credits"].sum() == 50
