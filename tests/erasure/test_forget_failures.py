"""`usage forget` where something is in its way: wrong options, another run, damage, and commits that were lost."""

import shutil
from typing import Any

import pytest
from filelock import FileLock

from tests.support.checked import check_passes
from tests.support.command import contents, done, interrupt_commit, published, refused, usage
from tests.support.data_folder import WORKSPACE, DataFolder
from tests.support.forgetting import ADA, BOB, OTHER, by, files_with, never_kept


@pytest.mark.parametrize("arguments", [[], ["--user", "ada"], ["--workspace", f"{OTHER}0"]])
def test_wrong_options(populated: DataFolder, arguments: list[str]) -> None:
    """2: at least one user or workspace has to be named, by its UUID."""
    before = contents(populated)
    done(usage(populated, "forget", *arguments, "--apply"), 2)
    assert contents(populated) == before


@pytest.mark.parametrize("options", [["--apply"], []])
def test_busy(populated: DataFolder, options: list[str]) -> None:
    """75: while a run is at work, no tombstone is added and nothing is read."""
    before = contents(populated)
    with FileLock(populated.root / "run.lock"):
        result = usage(populated, "forget", "--user", ADA, *options)
    done(result, 75)
    assert contents(populated) == before


def test_damage(populated: DataFolder) -> None:
    """1: a damaged file is named; the tombstone is added, and a rebuild erases everything."""
    (path,) = populated.root.glob(f"actors/workspace_id={WORKSPACE}/month=2026-09/*.parquet")
    path.write_bytes(b"PAR1 torn")
    refused(usage(populated, "forget", "--user", ADA, "--apply"), "actors/")
    done(usage(populated, "--rebuild"))
    assert published(populated) == never_kept(populated, ("--user", ADA))
    assert files_with(populated, ADA) == []


def test_broken_keys(populated: DataFolder) -> None:
    """1: a damaged file of keys is named, and the next run erases everything once it is repaired."""
    path = populated.root / "directory/api_keys.local.jsonl"
    content = path.read_bytes()
    path.write_text("{")
    refused(usage(populated, "forget", "--user", ADA, "--apply"), "api_keys.local.jsonl, line 1")
    path.write_bytes(content)
    populated.run()
    assert published(populated) == never_kept(populated, ("--user", ADA))
    assert files_with(populated, ADA) == []


def test_an_unfinished_commit(populated: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that was interrupted is finished before anything is erased."""
    populated.drop("d.jsonl", [by(BOB, "late"), by(ADA, "late too")])
    interrupt_commit(populated, monkeypatch, 2)
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    assert published(populated) == never_kept(populated, ("--user", ADA))
    check_passes(populated)


def test_orphans(populated: DataFolder) -> None:
    """Files of cube and actors that a lost commit left behind may hold anything, and are deleted too."""
    (path,) = populated.root.glob(f"actors/workspace_id={WORKSPACE}/month=2026-09/*.parquet")
    orphans = [path.with_name("orphan.parquet"), path.parents[1] / "month=2026-01/orphan.parquet"]
    orphans[1].parent.mkdir()
    for orphan in orphans:
        shutil.copy(path, orphan)
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    assert published(populated) == never_kept(populated, ("--user", ADA))
    assert not any(orphan.exists() for orphan in orphans)
    assert files_with(populated, ADA) == []


@pytest.mark.parametrize("others", [[], [by(BOB, "kept", timestamp="2026-08-01T11:00:00Z")]])
def test_after_a_load_that_was_lost(
    populated: DataFolder, monkeypatch: pytest.MonkeyPatch, others: list[dict[str, Any]]
) -> None:
    """Events of a commit that was lost half-way, which the actors do not know, are erased all the same."""
    populated.run()  # has the deletes of the run before behind it
    populated.drop("d.jsonl", [by(ADA, "lost", timestamp="2026-08-01T10:00:00Z"), *others])
    interrupt_commit(populated, monkeypatch, 1)  # after the partition of events
    assert "lost" in populated.events()["id"].to_list()
    shutil.rmtree(populated.root / "staging")
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    assert ADA not in populated.events()["user_id"].to_list()
    populated.run()
    assert ADA not in populated.events()["user_id"].to_list()
    assert ("kept" in populated.events()["id"].to_list()) == bool(others)
    check_passes(populated)
