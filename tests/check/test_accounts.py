"""`usage check` of the ledger, the quarantine and the runs: every line is accounted for."""

import json
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from pipeline.contract.tables import quarantine_path
from pipeline.storage.folder import FolderStore
from pipeline.storage.store import Operation
from tests.support.checked import OTHER, checked, pretend, rewrite, used, wrong
from tests.support.data_folder import DataFolder, record
from tests.support.outcome import outcome_of


def test_quarantine(good: DataFolder) -> None:
    """For each file, the quarantine has as many rejected lines as the ledger counts."""
    path = good.root / quarantine_path("b.jsonl")
    rewrite(path, lambda rows: rows[1:])
    assert wrong(checked(good)) == {"quarantine": 1}
    path.write_bytes(b"torn")
    assert wrong(checked(good)) == {"quarantine": 1}
    path.unlink()
    report = checked(good)
    assert wrong(report) == {"quarantine": 1}
    assert "b.jsonl" in report.quarantine.first[0]


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"accepted": 1}, {"ledger": 1}),
        ({"rejected": 3, "duplicates": 0}, {"quarantine": 1, "runs": 1}),
        ({"lines": 1000, "duplicates": 996}, {"runs": 2}),
    ],
)
def test_ledger(good: DataFolder, counts: dict[str, int], found: dict[str, int]) -> None:
    """The ledger's counts of each file add up, and their totals do not exceed the totals of the runs."""
    with closing(sqlite3.connect(good.root / "state.sqlite")) as database, database:
        (entry,) = database.execute("select entry from files where path = 'b.jsonl'").fetchone()
        entry = json.loads(entry)
        entry["counts"] |= counts
        database.execute("update files set entry = ?, checksum = null where path = 'b.jsonl'", (json.dumps(entry),))
    assert wrong(checked(good)) == found


def test_runs(good: DataFolder) -> None:
    """Each run's record can be read, and its counts add up."""
    (path,) = good.root.glob("runs/*.jsonl")
    first, second = path.read_text().splitlines()
    path.write_text(first.replace('"accepted":', '"accepted":1') + "\n" + second + "\n")
    pretend(path)
    assert wrong(checked(good)) == {"runs": 1}
    path.write_text(first[:50] + "\n" + second + "\n")
    pretend(path)
    report = checked(good)
    assert wrong(report) == {"runs": 1}
    assert f"runs/{path.name}, line 1" in report.runs.first[0]
    path.write_text(second + "\n")
    pretend(path)
    assert wrong(checked(good)).keys() == {"runs"}


def test_waiting(good: DataFolder) -> None:
    """New, longer or deleted raw files are not faults."""
    good.drop("c.jsonl", [record("new")])
    with (good.root / "raw/b.jsonl").open("ab") as file:
        file.write(b"\n")
    (good.root / "raw/a.jsonl").unlink()
    report = checked(good)
    assert wrong(report) == {}
    assert report.waiting.files == 2


def test_a_lost_ledger(good: DataFolder) -> None:
    """A missing ledger is a note, not a fault; a ledger that is not a database is a fault."""
    for path in good.root.glob("state.sqlite*"):
        path.unlink()
    report = checked(good)
    assert wrong(report) == {}
    assert "state.sqlite" in report.notes[0]
    assert report.waiting.files == 2
    (good.root / "state.sqlite").write_bytes(b"no database" * 100)
    assert wrong(checked(good)) == {"ledger": 1}


def test_an_unfinished_commit(good: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unfinished commit is the only fault reported, whatever step it stopped at, until a run finishes it."""
    good.drop("c.jsonl", [record("tie", workspace_id=OTHER, recorded_at="2026-11-24T11:30:00Z", usage=used(1))])
    apply = FolderStore.apply
    steps: list[DataFolder] = []

    def keep() -> None:
        """Copy the folder as it would be if the run stopped here."""
        steps.append(DataFolder(good.root.with_name(f"stopped-{len(steps)}")))
        shutil.copytree(good.root, steps[-1].root, ignore=shutil.ignore_patterns("raw"))
        shutil.copytree(good.root / "raw", steps[-1].root / "raw", copy_function=os.link)  # raw files keep their inode

    def keeping(store: FolderStore, operation: Operation) -> None:
        keep()
        apply(store, operation)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "apply", keeping)
        good.run()
    keep()
    unfinished = 0
    agreeing: set[bytes] = set()
    for folder in steps:
        report = checked(folder)
        if wrong(report):
            assert folder is not steps[-1]
            assert wrong(report) == {"ledger": 1}
            assert (report.cube.rows, report.events.rows) == (0, 0)
            unfinished += 1
        folder.run()
        if outcome_of(folder) not in agreeing:
            assert wrong(checked(folder)) == {}
            agreeing.add(outcome_of(folder))
    # Before the first and after the last of these steps, the commit is not unfinished.
    assert 5 < unfinished < len(steps)
