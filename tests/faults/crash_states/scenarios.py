"""The commands whose crashes are tried, each with the data folder that it finds."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from pipeline import keys
from pipeline.analysis import database
from pipeline.contract.calendar import rfc3339
from pipeline.contract.directory import Member
from pipeline.contract.formats import instant
from pipeline.storage.tombstones import Tombstone, append, hashed
from tests.support.batches import OTHER, drop
from tests.support.command import interrupt_commit
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record

ADA, BOB = "c0000000-0000-4000-8000-00000000000a", "d0000000-0000-4000-8000-00000000000b"
# The tombstones of four fill most of a sector, so that the next one begins in it and ends in the second.
STRANGERS: Final = [f"e0000000-0000-4000-8000-00000000000{number}" for number in range(5)]
_FORGET: Final = ("forget", "--apply", f"--user={ADA}", f"--user={STRANGERS[4]}", f"--now={NOW}")


@dataclass(frozen=True)
class Scenario:
    """One command on one data folder.

    Attributes:
        name: for people.
        prepare: loads and drops what is there before the command.
        command: the arguments of `usage`.
        erases: the forgotten users' hash in the tombstone, or the first day kept, that decides whether a disk may have
            the tables as before; empty: none.
        ignores: parts of the outcome that may differ.
        views: whether `usage.duckdb` is looked at, which is no part of a commit.
        again: whether the run after a crash is tried, instead of the command in which the crash came.
    """

    name: str
    prepare: Callable[[DataFolder], None]
    command: tuple[str, ...]
    erases: str = ""
    ignores: tuple[str, ...] = ()
    views: bool = False
    again: bool = False


def batch(number: int) -> Callable[[DataFolder], None]:
    """Return a preparation that loads the batches before `number`, and drops that one."""

    def prepare(folder: DataFolder) -> None:
        for earlier in range(number):
            drop(folder, earlier)
            folder.run()
        drop(folder, number)

    return prepare


def loaded(folder: DataFolder) -> None:
    """Load all batches."""
    batch(2)(folder)
    folder.run()


def interrupted(folder: DataFolder) -> None:
    """Stop the run of the second batch in the middle of its commit."""
    batch(1)(folder)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_commit(folder, patch, 4)


def without_state(folder: DataFolder) -> None:
    """Lose the ledger, and with it the journal of an interrupted commit."""
    interrupted(folder)
    for path in folder.root.glob("state.sqlite*"):
        path.unlink()


def grown(folder: DataFolder) -> None:
    """Let a file grow whose last line was rejected because it had no end."""
    line = json.dumps(record("b", usage={"credits": 7})).encode()
    path = folder.drop("a.jsonl", json.dumps(record("a", usage={"credits": 5})).encode() + b"\n{}\n" + line[:-3])
    folder.run()
    with path.open("ab") as file:
        file.write(line[-3:] + b"\n" + json.dumps(record("c", timestamp="2026-10-05T00:00:00Z")).encode() + b"\n{}\n")


def early(folder: DataFolder) -> None:
    """Reject a line because it is too early for it."""
    folder.drop("a.jsonl", [record("a", usage={"credits": 5}), {"id": "bad"}])
    folder.drop("b.jsonl", [record("b", timestamp="2026-11-20T10:00:00Z", usage={"credits": 7})])
    folder.run(instant("2026-11-21T12:00:00Z"))


def by(user: str, number: int, timestamp: str, workspace_id: str = WORKSPACE) -> dict[str, Any]:
    """Return an event that uses 10 ** `number` credits."""
    shares = {"credits": 10**number, "languages": [{"locale": "de", "characters": 10**number}]}
    person = {"id": user, "name": "Somebody"}
    return record(f"e{number}", workspace_id=workspace_id, user=person, timestamp=timestamp, usage=shares)


def erasable(folder: DataFolder) -> None:
    """Load events of two users and workspaces, some in others' events and in rejected lines, and make keys for all."""
    folder.drop("old.jsonl", [{"id": "bad", "user": {"id": ADA}, "workspace_id": OTHER}])
    folder.run(instant("2026-10-14T12:00:00Z"))
    folder.drop(
        "a.jsonl",
        [
            by(ADA, 0, "2026-11-24T10:00:00Z"),
            by(BOB, 1, "2026-11-24T10:00:00Z"),
            by(ADA, 2, "2026-10-14T10:00:00Z"),
            by(BOB, 3, "2026-10-16T10:00:00Z"),
            by(BOB, 4, "2026-09-01T10:00:00Z"),
            by(ADA, 5, "2026-10-01T10:00:00Z", OTHER),
            {"id": "bad"},
            by(BOB, 6, "2026-11-01T10:00:00Z", OTHER) | {"resource": {"type": "user", "id": ADA}},
        ],
    )
    folder.run()
    with_keys(folder)


def erased_before(folder: DataFolder) -> None:
    """Forget users who have no data, so that there are tombstones already."""
    erasable(folder)
    append(folder.root, *(Tombstone("user", rfc3339(folder.now), sha256=hashed(id_)) for id_ in STRANGERS[:4]))
    folder.run()


def with_keys(folder: DataFolder) -> None:
    """Make a key for each of two users in each of two workspaces."""
    pairs = [(workspace, user) for workspace in (WORKSPACE, OTHER) for user in (ADA, BOB)]
    members = [Member(workspace, user, "", "admin", "active") for workspace, user in pairs]
    keys.write_rows(folder.root / "directory/members.jsonl", members)
    for number, (workspace, user) in enumerate(pairs):
        keys.create(folder.root / "directory", key_id=f"key_{number}", workspace_id=workspace, user_id=user)


def begun(folder: DataFolder) -> None:
    """Add a tombstone, as a `forget` does that is killed then, and drop a file."""
    erasable(folder)
    append(folder.root, Tombstone("user", rfc3339(folder.now), sha256=hashed(ADA)))
    folder.drop(
        "later.jsonl", [by(ADA, 7, "2026-11-24T11:00:00Z"), by(BOB, 8, "2026-10-14T11:00:00Z"), {"id": "worse"}]
    )


RUN: Final = ("run", "--workers=1", f"--now={NOW}")
SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario("create a key", with_keys, ("keys", "create", f"--workspace={WORKSPACE}", f"--user={BOB}")),
        Scenario("revoke a key", with_keys, ("keys", "revoke", "key_1")),
        Scenario("first run", batch(0), RUN),
        Scenario("second run", batch(1), RUN),
        Scenario("third run", batch(2), RUN),
        Scenario("run after a killed run", interrupted, RUN),
        Scenario("run after a crash", batch(1), RUN, again=True),
        Scenario("run without the state", without_state, RUN),
        Scenario("run of a file that grew", grown, RUN),
        Scenario("rebuild", loaded, (*RUN, "--rebuild")),
        Scenario("rebuild of a month", loaded, (*RUN, "--rebuild", "--since=2026-11")),
        Scenario("retry", early, ("quarantine", "--retry", f"--now={NOW}")),
        Scenario("forget a user", erased_before, _FORGET, hashed(ADA)),
        Scenario(
            "forget a workspace", erasable, ("forget", "--apply", f"--workspace={OTHER}", f"--now={NOW}"), hashed(OTHER)
        ),
        Scenario(
            "retention", erasable, ("retention", "--apply", "--keep=41d", f"--now={NOW}"), "2026-10-15", ("quarantine",)
        ),
        Scenario("run after a crash in an erasure", erased_before, _FORGET, hashed(ADA), again=True),
        Scenario("run after a tombstone", begun, RUN, hashed(ADA)),
        Scenario("views", loaded, RUN, views=True),
    )
}


def pretend_current(root: Path) -> None:
    """Make commands believe that `usage.duckdb` is current: it is not part of a commit, and takes half a second."""
    path = root / database.DATABASE
    path.write_bytes(b"")
    status = path.stat()
    made = database.BuildRecord(database.inputs_hash(root), status.st_size, status.st_mtime_ns)
    (root / f"{database.DATABASE}.json").write_bytes(msgspec.json.encode(made))
    assert database.is_current(root)
