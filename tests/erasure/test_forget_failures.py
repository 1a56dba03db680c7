"""`usage forget` under adverse conditions: wrong options, another run, damaged files, and lost commits."""

import errno
import os
import shutil
from typing import Any

import pytest
from filelock import FileLock

from pipeline.storage.folder import FolderStore
from tests.support.checked import check_passes
from tests.support.command import contents, done, interrupt_commit, published, refused, usage
from tests.support.data_folder import WORKSPACE, DataFolder
from tests.support.forgetting import ADA, BOB, OTHER, by, files_with, never_kept


@pytest.mark.parametrize("arguments", [[], ["--user", "ada"], ["--workspace", f"{OTHER}0"]])
def test_wrong_options(populated: DataFolder, arguments: list[str]) -> None:
    """Exit code 2: without a user or workspace, or with a malformed UUID, nothing is erased."""
    before = contents(populated)
    done(usage(populated, "forget", *arguments, "--apply"), 2)
    assert contents(populated) == before


@pytest.mark.parametrize("options", [["--apply"], []])
def test_busy(populated: DataFolder, options: list[str]) -> None:
    """Exit code 75: during a run, the command changes nothing and adds no tombstone."""
    before = contents(populated)
    with FileLock(populated.root / "run.lock"):
        result = usage(populated, "forget", "--user", ADA, *options)
    done(result, 75)
    assert contents(populated) == before


def test_damage(populated: DataFolder) -> None:
    """Exit code 1: a damaged file is named; the tombstone is added, and a rebuild completes the erasure."""
    (path,) = populated.root.glob(f"actors/workspace_id={WORKSPACE}/month=2026-09/*.parquet")
    path.write_bytes(b"PAR1 torn")
    refused(usage(populated, "forget", "--user", ADA, "--apply"), "actors/")
    done(usage(populated, "--rebuild"))
    assert published(populated) == never_kept(populated, ("--user", ADA))
    assert files_with(populated, ADA) == []


def test_broken_keys(populated: DataFolder) -> None:
    """Exit code 1: a damaged key file is named; once it is repaired, the next run completes the erasure."""
    path = populated.root / "directory/api_keys.local.jsonl"
    content = path.read_bytes()
    path.write_text("{")
    refused(usage(populated, "forget", "--user", ADA, "--apply"), "api_keys.local.jsonl, line 1")
    path.write_bytes(content)
    populated.run()
    assert published(populated) == never_kept(populated, ("--user", ADA))
    assert files_with(populated, ADA) == []


def test_an_unfinished_commit(populated: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted commit is finished before the erasure begins."""
    populated.drop("d.jsonl", [by(BOB, "late"), by(ADA, "late too")])
    interrupt_commit(populated, monkeypatch, 2)
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    assert published(populated) == never_kept(populated, ("--user", ADA))
    check_passes(populated)


def test_orphans(populated: DataFolder) -> None:
    """Orphans in cube and actors, left by a lost commit, are deleted too, because they may hold anybody's data."""
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
    """Events of a commit that was lost half-way are erased even though the actors table lacks them."""
    populated.run()  # removes the previous commit's deletes from the journal
    populated.drop("d.jsonl", [by(ADA, "lost", timestamp="2026-08-01T10:00:00Z"), *others])
    interrupt_commit(populated, monkeypatch, 1)  # after the events partition is written
    assert "lost" in populated.events()["id"].to_list()
    shutil.rmtree(populated.root / "staging")
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    assert ADA not in populated.events()["user_id"].to_list()
    populated.run()
    assert ADA not in populated.events()["user_id"].to_list()
    assert ("kept" in populated.events()["id"].to_list()) == bool(others)
    check_passes(populated)


def test_the_last_sync_fails(populated: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is unknown whether the deletes are on disk, the command fails, and is not done before a sync succeeds."""
    syncs: list[int] = []
    monkeypatch.setattr(FolderStore, "sync", lambda _: syncs.append(len(syncs)))
    done(usage(populated.copy(populated.root.with_name("copy")), "forget", "--user", ADA, "--apply"))
    last = len(syncs) - 1
    syncs.clear()

    def fail_at_last(_: FolderStore) -> None:
        syncs.append(len(syncs))
        if syncs[-1] == last:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(FolderStore, "sync", fail_at_last)
    refused(usage(populated, "forget", "--user", ADA, "--apply"), "Input/output error")
    assert files_with(populated, ADA) == []
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    assert len(syncs) > last + 1
    syncs.clear()
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    assert syncs == []
    check_passes(populated)
