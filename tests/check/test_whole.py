"""`usage check` passes the output of the load, for any input and any kind of run."""

import json
from pathlib import Path

import pytest

from pipeline.contract.tables import manifest_path
from pipeline.load.discovery import Retry
from pipeline.load.rebuild import Rebuild
from pipeline.run import run
from tests.hostile import deliver
from tests.support.checked import OTHER, THIRD, checked, monthly, partition, wrong
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record
from tests.support.invoked import invoke
from tests.support.world import FILES_AT_ONCE


def test_a_good_folder(good: DataFolder) -> None:
    """A loaded folder passes, and every row, file and line is checked."""
    report = checked(good)
    assert wrong(report) == {}
    assert (report.events.rows, report.events.files, report.events.workspaces) == (good.events().height, 6, 3)
    assert (report.cube.rows, report.cube.workspaces) == (good.cube().height, 3)
    assert (report.actors.rows, report.actors.workspaces) == (good.actors().height, 3)
    assert (report.manifests.files, report.manifests.workspaces) == (8, 3)
    assert (report.quarantine.rows, report.quarantine.files) == (3, 2)
    assert (report.ledger.rows, report.ledger.files) == (23, 2)
    assert (report.runs.rows, report.runs.files) == (23, 2)
    assert (report.waiting.files, report.moved.ids, report.notes) == (0, 0, [])
    assert not list(good.root.glob("staging/*"))


@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_input(folder: DataFolder, seed: int) -> None:
    """A folder loaded from hostile logs passes."""
    files = deliver(seed, folder.now, events=200, edges=5).files
    for first in range(0, len(files), FILES_AT_ONCE):
        for name, content in files[first : first + FILES_AT_ONCE]:
            folder.drop(name, content)
        folder.run()
    assert wrong(checked(folder)) == {}


def test_an_empty_folder(folder: DataFolder, tmp_path: Path) -> None:
    """Where nothing is published nothing is wrong; where there is no folder there is nothing to check."""
    with pytest.raises(FileNotFoundError):
        checked(DataFolder(tmp_path / "nowhere"))
    report = checked(folder)
    assert wrong(report) == {}
    assert report.notes == ["nothing is published yet"]


def test_all_kinds_of_runs(good: DataFolder, tmp_path: Path) -> None:
    """A folder passes after growing and replaced files, named paths, retries and rebuilds."""
    early = good.drop("early.jsonl", [record("early", timestamp="2026-11-26T00:00:00Z"), {"id": "bad"}])
    good.run()
    with early.open("ab") as file:
        file.write(b'{"id": "torn')
    good.run()
    good.now += 3 * 86_400_000_000
    run(good.settings, good.now, retry=Retry())
    assert "early" in good.events()["id"]
    assert wrong(checked(good)) == {}
    good.drop("b.jsonl", [record("other")])
    outside = tmp_path / "outside.jsonl"
    outside.write_bytes(json.dumps(record("outside")).encode())
    good.run(paths=[outside])
    assert wrong(checked(good)) == {}
    good.run()
    run(good.settings, good.now, rebuild=Rebuild(frozenset({WORKSPACE}), "2026-11"))
    report = checked(good)
    assert wrong(report) == {}
    assert report.waiting.files == 0


def test_rebuild_repairs_everything(good: DataFolder) -> None:
    """A rebuild, which the hint suggests, repairs damaged and missing files of every table."""
    partition(good, "2026-11-24").write_bytes(b"")
    monthly(good, "cube").unlink()
    monthly(good, "actors").write_bytes(b"torn")
    (good.root / manifest_path(OTHER)).unlink()
    (good.root / manifest_path(THIRD)).write_bytes(b"torn")
    assert not checked(good).agrees
    assert invoke(["run", "--rebuild", "--data-dir", str(good.root), "--now", NOW]).exit_code == 0
    assert wrong(checked(good)) == {}
