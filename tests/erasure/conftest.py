"""Fixture of the tests of `usage forget`: a folder with the data of two users."""

import json

import pytest

from pipeline import keys
from pipeline.contract.directory import Member
from tests.support.data_folder import WORKSPACE, DataFolder, Once, record
from tests.support.forgetting import ADA, BOB, OTHER, by, used


def populate(folder: DataFolder) -> None:
    """Load a user with days alone and with others, rejected lines and a key, who is named by others."""
    early = {"timestamp": "2026-09-05T00:00:00Z"}
    rows = [
        by(ADA, "with others", usage=used(1)),
        by(BOB, "bob", usage=used(10)),
        record("nobody", usage=used(100)),
        by(ADA, "a day alone", timestamp="2026-11-20T10:00:00Z", usage=used(1000)),
        by(ADA, "a month alone", **early),
        by(BOB, "elsewhere", workspace_id=OTHER, usage=used(10_000)),
        by(ADA, "ada elsewhere", workspace_id=OTHER, **early),
        {"id": "bad", "user": {"id": ADA.upper()}},
        {"id": "bad", "workspace_id": OTHER},
        {"id": "bad", "user": {"id": BOB}},
    ]
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    folder.drop("a.jsonl", lines + f'{{"torn": "{ADA}"'.encode())
    naming = {"metadata": {ADA: [ADA.upper(), ADA.replace("-", "")]}, "resource": {"type": "member", "id": ADA}}
    folder.drop(
        "b.jsonl",
        [
            {"id": "bad", "user": {"id": ADA}},
            {"id": "bad", "workspace_id": OTHER},
            by(BOB, "names her", **naming),
            record("names her alone", timestamp="2026-10-01T00:00:00Z", metadata={"who": f"<{ADA}>"}),
            by(ADA, "names herself", **naming),
        ],
    )
    folder.run()
    folder.drop("c.jsonl", [by(ADA, "with others", recorded_at="2026-11-24T11:00:00Z", usage=used(2))])
    folder.run()
    members = [
        Member(workspace, user, "", "admin", "active") for workspace in (WORKSPACE, OTHER) for user in (ADA, BOB)
    ]
    keys.write_rows(folder.root / "directory/members.jsonl", members)
    for number, member in enumerate(members):
        keys.create(
            folder.root / "directory", key_id=f"key_{number}", workspace_id=member.workspace_id, user_id=member.user_id
        )


@pytest.fixture
def populated(once: Once) -> DataFolder:
    """Return a folder where a user has days alone and with others, rejected lines and a key, and is named by others."""
    return once(populate)
