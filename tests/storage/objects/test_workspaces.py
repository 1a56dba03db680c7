"""What is said of each workspace on an object store: what is said of it on a folder."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.object_client import Client
from pipeline.contract.settings import Settings
from pipeline.storage.opened import open_storage
from pipeline.workspaces import activity, listing
from tests.support.both import Both
from tests.support.data_folder import DAY_US, WORKSPACE, DataFolder, record


def lists(settings: Settings, now: int) -> list[Any]:
    """Return the whole list, and the workspaces that have been silent for ten days."""
    return [listing.read(settings, now), listing.read(settings, now, 10 * DAY_US)]


def test_the_list(folder: DataFolder, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The list is the same, also where a run commits and sweeps while it is read. Copies go with each workspace."""
    both = Both(folder, client)
    folder.export_all()
    client.replace("directory/members.jsonl", (folder.root / "directory/members.jsonl").read_bytes(), None)
    both.drop_several()
    both.run()
    whole, silent = lists(both.settings[1], both.now)
    assert [whole, silent] == lists(both.settings[0], both.now)
    assert (len(whole), len(silent)) == (5, 4)

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environ = {"USAGE_S3_ENDPOINT": client.location.endpoint, "USAGE_SCRATCH": str(scratch)}
    count = vars(activity)["_count"]
    commits: list[int] = []
    copies: list[Path] = []

    def count_and_commit(*arguments: Any) -> Any:
        found = count(*arguments)
        copies.extend(scratch.rglob("*.parquet"))
        if not commits:
            late = record("late", workspace_id=f"0{WORKSPACE[1:]}", timestamp="2026-11-03T00:00:00Z")
            both.drop("late.jsonl", [late])
            both.run()
            with open_storage(both.settings[1]) as writer:
                writer.carry_out(writer.tombstones())  # which sweeps at once
            commits.append(both.now)
        return found

    monkeypatch.setattr(activity, "_count", count_and_commit)
    found = listing.read(Settings.read(environ, data_dir=client.location.url), both.now)
    monkeypatch.setattr(activity, "_count", count)
    assert found == lists(both.settings[0], both.now)[0]
    assert found != whole
    assert not copies
