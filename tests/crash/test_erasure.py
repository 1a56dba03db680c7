"""If `usage forget` or `usage retention` is killed at any step, the next run completes the erasure.

Readers see the data as of before or after the erasure.
"""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from pipeline import keys
from pipeline.contract.directory import READ_SCOPE, ApiKey, Member, sha256_hex
from pipeline.contract.formats import instant
from pipeline.contract.settings import Settings
from pipeline.storage.tombstones import TOMBSTONES
from service.application import create_app
from service.http.front import Front
from tests.support.batches import OTHER, state_of
from tests.support.command import done, usage
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record
from tests.support.kills import halted, kill
from tests.support.outcome import outcome_of
from tests.support.service_folder import call
from tests.support.snapshots import copied_with_links, snapshots

ADA, BOB = "c0000000-0000-4000-8000-00000000000a", "d0000000-0000-4000-8000-00000000000b"
REALLY_KILLED = (2, 7, 14)  # steps at which a process is killed, to compare what it leaves
COMMANDS = {
    "user": ("forget", "--apply", "--user", ADA),
    "workspace": ("forget", "--apply", "--workspace", OTHER),
    "floor": ("retention", "--apply", "--keep", "41d"),
}


def by(user: str, number: int, timestamp: str, workspace_id: str = WORKSPACE) -> dict[str, Any]:
    """Return an event that uses 10 ** `number` credits."""
    shares = {"credits": 10**number, "languages": [{"locale": "de", "characters": 10**number}]}
    person = {"id": user, "name": "Somebody"}
    return record(f"e{number}", workspace_id=workspace_id, user=person, timestamp=timestamp, usage=shares)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder with rejected lines, keys, and days and months that an erasure rewrites or deletes."""
    folder = DataFolder(tmp_path_factory.mktemp("template") / "data")
    folder.drop("old.jsonl", [{"id": "bad", "user": {"id": ADA}, "workspace_id": OTHER}])
    folder.run(instant("2026-10-14T12:00:00Z"))
    folder.drop(
        "a.jsonl",
        [
            by(ADA, 0, "2026-11-24T10:00:00Z"),
            by(BOB, 1, "2026-11-24T10:00:00Z"),
            by(ADA, 2, "2026-11-20T10:00:00Z"),
            by(ADA, 3, "2026-10-14T10:00:00Z"),
            by(BOB, 4, "2026-10-16T10:00:00Z"),
            by(BOB, 5, "2026-09-01T10:00:00Z"),
            by(BOB, 6, "2026-11-24T10:00:00Z", OTHER),
            by(ADA, 7, "2026-10-01T10:00:00Z", OTHER),
            {"id": "bad"},
            by(BOB, 8, "2026-11-01T10:00:00Z") | {"metadata": {"who": ADA}, "resource": {"type": "user", "id": ADA}},
        ],
    )
    folder.run(folder.now - 1_000_000)  # so that the ids of runs sort in their order
    pairs = [(workspace, user) for workspace in (WORKSPACE, OTHER) for user in (ADA, BOB)]
    members = [Member(workspace, user, "", "admin", "active") for workspace, user in pairs]
    keys.write_rows(folder.root / "directory/members.jsonl", members)
    for number, (workspace, user) in enumerate(pairs):
        keys.create(folder.root, key_id=f"key_{number}", workspace_id=workspace, user_id=user)
    return folder


def outcome(folder: DataFolder) -> dict[str, Any]:
    """Return what must be equal in the end: tables, quarantine, keys, partitions, tombstones. The check must pass."""
    left = sorted(key.id for _, key in keys.stored(folder.root))
    folders = sorted(str(path.relative_to(folder.root)) for path in folder.root.glob("*/workspace_id=*/*/*"))
    named = [name for name in folders if name.startswith("events")]
    return {**state_of(folder), "keys": left, "events at": named, "tombstones": (folder.root / TOMBSTONES).read_bytes()}


@pytest.mark.parametrize("which", COMMANDS)
def test_killed_at_every_step(template: DataFolder, tmp_path: Path, which: str) -> None:
    """After a kill at any step, the next run or a repeated command gives the result of an undisturbed command."""
    undisturbed = template.copy(tmp_path / "undisturbed")
    steps = snapshots(undisturbed, tmp_path, lambda: done(usage(undisturbed, *COMMANDS[which])))
    assert len(steps) > 15
    expected = outcome(undisturbed)
    for number, folder in enumerate(steps):
        if number % 3 and (folder.root / TOMBSTONES).exists():
            folder.run()
        else:
            done(usage(folder, *COMMANDS[which]))
        assert outcome(folder) == expected, folder.root.name
        assert not list(folder.root.glob("staging/*"))


@pytest.mark.parametrize("which", COMMANDS)
def test_what_a_kill_leaves(template: DataFolder, tmp_path: Path, which: str) -> None:
    """A killed process leaves the files as they were before the step, as the test of every step takes for granted."""
    undisturbed = template.copy(tmp_path / "undisturbed")
    folders = {step: copied_with_links(undisturbed, tmp_path / f"killed-{step}") for step in REALLY_KILLED}
    steps = snapshots(undisturbed, tmp_path, lambda: done(usage(undisturbed, *COMMANDS[which])))
    for step, folder in folders.items():
        assert kill(folder, step, "before", command=COMMANDS[which]) == -signal.SIGKILL
        assert outcome_of(folder) == outcome_of(steps[step - 1]), step


@pytest.mark.parametrize("which", COMMANDS)
def test_staging_lost(template: DataFolder, tmp_path: Path, which: str) -> None:
    """If the staged files are lost after the commit began, the next run does the whole erasure."""
    undisturbed = template.copy(tmp_path / "undisturbed")
    done(usage(undisturbed, *COMMANDS[which]))
    folder = template.copy(tmp_path / "data")
    assert kill(folder, 1, "after", "begin", COMMANDS[which]) == -signal.SIGKILL
    shutil.rmtree(folder.root / "staging")
    folder.run()
    expected = outcome(undisturbed)
    found = outcome(folder)
    if which == "floor":  # the next run read the raw files again, and rejected their lines again today
        del expected["quarantine"], found["quarantine"]
    assert found == expected


def ask(app: Front, token: str, path: str) -> Any:
    """Return the `data` of an answer."""
    reply = call(app, f"/api/v1/usage/{path}", b"range=90d&limit=100", [("authorization", f"Bearer {token}")])
    assert reply.status == 200, reply.body
    return json.loads(reply.body)["data"]


@pytest.mark.parametrize("which", COMMANDS)
def test_readers(template: DataFolder, tmp_path: Path, which: str) -> None:
    """During an erasure, the service returns the sums of before or after. Afterwards it returns no erased event."""
    folder = template.copy(tmp_path / "data")
    tokens = {workspace: f"op_live_{number:032d}" for number, workspace in enumerate((WORKSPACE, OTHER))}
    keys.write_rows(
        folder.root / "directory/api_keys.jsonl",
        [
            ApiKey(f"product_{number}", sha256_hex(token), workspace, BOB, (READ_SCOPE,))
            for number, (workspace, token) in enumerate(tokens.items())
        ],
    )
    app = create_app(Settings.read({}, data_dir=folder.root), lambda: instant(NOW))
    before = {workspace: credits_of(app, token) for workspace, token in tokens.items()}
    after = {
        "user": {WORKSPACE: 100_110_010, OTHER: 1_000_000},
        "workspace": {WORKSPACE: 100_111_111, OTHER: 0},
        "floor": {WORKSPACE: 100_010_111, OTHER: 1_000_000},
    }[which]
    seen: dict[str, set[int]] = {workspace: set() for workspace in tokens}
    with halted(folder, "sync", (*COMMANDS[which], "--now", NOW)) as victim:
        for workspace, token in tokens.items():
            seen[workspace].add(credits_of(app, token))
        victim.resume()
        while victim.is_alive():
            for workspace, token in tokens.items():
                seen[workspace].add(credits_of(app, token))
        assert victim.end() == 0, victim.said.read()
    for workspace, token in tokens.items():
        assert seen[workspace] <= {before[workspace], after[workspace]}
        assert credits_of(app, token) == after[workspace]
        feed = ask(app, token, "activity")
        assert sum(10 ** int(event["id"][1:]) for event in feed) == after[workspace]
        summary = ask(app, token, "summary")
        assert summary["characters"]["total"] == after[workspace]


def credits_of(app: Front, token: str) -> int:
    """Return the credits of the last 90 days."""
    return sum(day["credits"] for day in ask(app, token, "summary")["daily"])
