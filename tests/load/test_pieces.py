"""The contract of a piece of work: any piece can be run twice, also at once, and elsewhere."""

import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from datetime import date, timedelta
from functools import partial
from itertools import count, repeat
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from pipeline.contract.calendar import DAY_US, SECOND_US, rfc3339
from pipeline.contract.settings import Settings
from pipeline.erasure.erase import erase
from pipeline.load import piece, pool
from pipeline.load.discovery import Retry
from pipeline.load.job import Job, Limits, Resources
from pipeline.load.month_groups import dealt, group_of, number_of_groups
from pipeline.load.piece import Slot
from pipeline.load.raw_source import FolderRaw
from pipeline.load.rebuild import Rebuild
from pipeline.load.results import StagedFile
from pipeline.run import run
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from pipeline.storage.tombstones import Tombstone, Tombstones, hashed
from tests.support.command import published
from tests.support.data_folder import USER, WORKSPACE, DataFolder, record
from tests.support.pieces import CheckedPieces, checked

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
LIMITS = Limits(
    processes_bytes=0,
    processes_days=0,
    split_bytes=12_000,
    bucket_bytes=15_000,
    buckets=2,
    bucket_rows_bytes=6000,
    group_rows_bytes=1,
    group_days=1,
    stored_bytes=2000,
    stored_month_bytes=1000,
)


def drop(folder: DataFolder, name: str, first: int, ahead: int = 0) -> None:
    """Add a raw file with versions of the same events, with bad lines, and with some that are too far ahead."""
    rng = random.Random(first)
    records = [
        record(
            f"e{number % 40}",
            workspace_id=rng.choice([WORKSPACE, OTHER]),
            timestamp=rfc3339(folder.now - DAY_US * rng.choice([0, 1, 20, 40])),
            recorded_at=rfc3339(folder.now + SECOND_US * number),
            user={"id": USER if number % 5 == 0 else OTHER, "name": "Ada"},
            usage={"credits": number, "languages": [{"locale": rng.choice(["de", "fr"]), "characters": number}]},
        )
        for number in range(first, first + 60)
    ]
    early = [record(f"a{number}", timestamp=rfc3339(folder.now + 2 * DAY_US)) for number in range(ahead)]
    folder.drop(name, [*records, *early, {"id": "bad"}, {"id": first, "user": {"id": USER}}])


def load(folder: DataFolder, later: int = 0, **named: Any) -> None:
    """Run the pipeline as with two processes."""
    settings = Settings.read({}, data_dir=folder.root, workers=2)
    run(settings, folder.now + later, limits=LIMITS, **named)


def forget(folder: DataFolder) -> None:
    """Erase a user."""
    tombstone = Tombstone("user", rfc3339(folder.now), sha256=hashed(USER))
    settings = Settings.read({}, data_dir=folder.root, workers=2)
    erase(settings, folder.now + 3 * DAY_US, [tombstone], limits=LIMITS, dry=False)


def load_all(folder: DataFolder) -> None:
    """Have everything done that pieces do: a first load, a retry, a repair, a later load, an erasure and a rebuild."""
    drop(folder, "a.jsonl", 0, ahead=3)
    load(folder)
    drop(folder, "b.jsonl", 30)
    load(folder, later=2 * DAY_US, retry=Retry())
    with closing(State(folder.root / "state.sqlite")) as state:
        state.discard_commit("nothing", tables=False, months={(WORKSPACE, "2026-11")})
    load(folder, later=2 * DAY_US)
    forget(folder)
    load(folder, later=3 * DAY_US, rebuild=Rebuild())


@pytest.mark.usefixtures("forked_workers")
def test_all_pieces(folder: DataFolder, tmp_path: Path) -> None:
    """Each kind of piece, run four times, gives one result, and the tables are those of an ordinary run."""
    (folder.root / "raw").mkdir(parents=True, exist_ok=True)
    with checked(FolderStore(folder.root)) as pieces:
        load_all(folder)
    assert pieces.seen.keys() == {"_read", "join", "divide", "merge", "roll_up", "erase_rejects"}
    assert min(pieces.seen.values()) > 0
    ordinary = DataFolder(tmp_path / "ordinary")
    (ordinary.root / "raw").mkdir(parents=True)
    load_all(ordinary)
    assert published(folder) == published(ordinary)
    assert not list(folder.root.glob("staging/*"))


def unlink(staged: str, job: Job) -> StagedFile:
    """Delete the input."""
    result = copy(staged, job)
    job.store.scratch(staged).unlink()
    return result


def append(staged: str, job: Job) -> StagedFile:
    """Change the input."""
    with job.store.scratch(staged).open("ab") as file:
        file.write(b"more")
    return copy(staged, job)


def share(staged: str, job: Job) -> StagedFile:
    """Write a file that has the same name in all attempts."""
    return copy(staged, msgspec.structs.replace(job, attempt="mine"))


def publish(staged: str, job: Job) -> StagedFile:
    """Write a file that is not staged."""
    job.store.scratch("events").write_bytes(b"")
    return copy(staged, job)


def misreport(staged: str, job: Job) -> StagedFile:
    """Return a wrong size."""
    return msgspec.structs.replace(copy(staged, job), bytes=1)


def conceal(staged: str, job: Job) -> str:
    """Return nothing about the file."""
    return copy(staged, job).uri


def number(staged: str, job: Job, numbers: Iterator[int] = count()) -> tuple[int, StagedFile]:  # noqa: B008 - as meant
    """Return something else each time."""
    return next(numbers), copy(staged, job)


def copy(staged: str, job: Job) -> StagedFile:
    """Copy the input."""
    operation = job.store.stage(f"{job.staging}/copy", "copy", job.store.local(staged).read_bytes())
    return StagedFile(operation.staged, operation.size)


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (copy, ""),
        (unlink, "changed files"),
        (append, "changed files"),
        (share, "not the same|changed files|does not name"),
        (publish, "it wrote events"),
        (misreport, "sizes"),
        (conceal, "does not name"),
        (number, "not the same"),
    ],
)
def test_breaches_are_found(folder: DataFolder, function: Callable[[str, Job], Any], complaint: str) -> None:
    """The check above finds each breach of the contract, and passes over a piece that keeps it."""
    store = FolderStore(folder.root)
    store.stage("staging/run/other/rows", "", b"rows")
    job = Job(store, FolderRaw(folder.root / "raw"), "run", 0, 0, 1, Tombstones())
    with ThreadPoolExecutor(2) as threads:
        pieces = CheckedPieces(folder.root, threads).map(
            partial(piece.attempt, function, 1), ["staging/run/other/rows"], repeat(job)
        )
        with pytest.raises(AssertionError, match=complaint) if complaint else nullcontext():
            list(pieces)


def test_a_piece_has_the_resources_of_its_slot(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots share what they have. Fewer pieces than slots get more each, and a slot that is alone gives all it has."""
    assert Slot(8, 400, 4).resources(100) == Resources(2, "100MB")
    assert Slot(8, 400, 4).resources(2) == Resources(4, "200MB")
    assert Slot(8, 400, 4).resources(0) == Resources(8, "400MB")
    assert Slot(2, 400, 3).resources(3) == Resources(1, "133MB")
    assert Slot(3, 900).resources(100) == Resources(3, "900MB")
    job = Job(FolderStore(folder.root), FolderRaw(folder.root / "raw"), "run", 0, 0, 1, Tombstones())
    monkeypatch.setattr(piece, "_slot", None)
    assert piece.attempt(resources, 9, "", job) == Resources(os.cpu_count() or 1, "400MB")
    piece.occupy(Slot(6, 300, 3))
    assert piece.attempt(resources, 9, "", job) == Resources(2, "100MB")
    with pool.executor(1) as one:
        assert one.submit(piece.attempt, resources, 9, "", job).result() == Resources(os.cpu_count() or 1, "400MB")


@pytest.mark.usefixtures("forked_workers")
def test_workers_share_the_machine(folder: DataFolder) -> None:
    """The slots of a local pool share the cores and the memory of this machine."""
    job = Job(FolderStore(folder.root), FolderRaw(folder.root / "raw"), "run", 0, 0, 1, Tombstones())
    cores = os.cpu_count() or 1
    with pool.executor(4) as four:
        assert four.submit(piece.attempt, resources, 9, "", job).result() == Resources(max(1, cores // 4), "100MB")
        assert four.submit(piece.attempt, resources, 1, "", job).result() == Resources(cores, "400MB")


def resources(_: str, job: Job) -> Resources:
    """Return what the piece may use."""
    return job.resources


def test_groups_of_months() -> None:
    """All workers get groups where the rows are worth it, a small run has one, and many buckets have more."""
    limits = Limits()
    assert number_of_groups(1, limits.group_rows_bytes - 1, 0, 8, limits) == 1
    assert number_of_groups(1, 3 * limits.group_rows_bytes, 0, 8, limits) == 3
    assert number_of_groups(8, 99 * limits.group_rows_bytes, 0, 2, limits) == 2
    assert number_of_groups(3, 0, 2 * limits.group_days, 8, limits) == 2
    assert number_of_groups(85, 85 * limits.group_rows_bytes, 0, 1, limits) == 21
    assert number_of_groups(0, 0, 0, 1, limits) == 1


def test_rows_are_dealt_out_by_month() -> None:
    """Each group gets the rows of its months, whatever the type of the column, in the order that they had."""
    workspaces = [f"w{number % 5}" for number in range(60)]
    days = [date(2025, 11, 30) + timedelta(days=number) for number in range(60)]
    rows = pa.table({"workspace_id": workspaces, "day": pa.array(days, pa.date32()), "number": range(60)})
    instants = rows.set_column(1, "day", rows["day"].cast(pa.timestamp("us")))
    for table in (rows, instants):
        found = dict(dealt(table, "day", 3))
        expected: dict[int, list[int]] = {}
        for number_, (workspace, day) in enumerate(zip(workspaces, days, strict=True)):
            expected.setdefault(group_of(workspace, day.isoformat()[:7], 3), []).append(number_)
        assert {group: part["number"].to_pylist() for group, part in found.items()} == expected
        assert len(found) == 3
    assert [group for group, _ in dealt(rows, "day", 1)] == [0]
    assert list(dealt(rows.slice(0, 0), "day", 1)) == list(dealt(rows.slice(0, 0), "day", 3)) == []
