"""While runs are killed and recover, the API answers from whole commits of each workspace."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any, Literal

from pipeline.contract.formats import instant
from pipeline.contract.settings import Settings
from service.application import create_app
from tests.support.batches import OTHER
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record
from tests.support.kills import RUN, started
from tests.support.service_folder import call

USER = "c0000000-0000-4000-8000-00000000000a"
KEYS = {WORKSPACE: f"op_live_{1:032d}", OTHER: f"op_live_{2:032d}"}
BATCHES = 4


def write_directory(root: Path) -> None:
    """Write a directory in which one member has a key to each workspace."""
    folder = root / "directory"
    folder.mkdir(parents=True)
    members = [
        {"workspace_id": workspace_id, "user_id": USER, "name": "Ada", "role": "admin", "status": "active"}
        for workspace_id in KEYS
    ]
    keys = [
        {
            "id": f"key_{number}",
            "key_sha256": hashlib.sha256(key.encode()).hexdigest(),
            "workspace_id": workspace_id,
            "user_id": USER,
            "scopes": ["workspace:read"],
        }
        for number, (workspace_id, key) in enumerate(KEYS.items())
    ]
    (folder / "members.jsonl").write_text("".join(json.dumps(row) + "\n" for row in members))
    (folder / "api_keys.jsonl").write_text("".join(json.dumps(row) + "\n" for row in keys))


def batch(number: int) -> list[dict[str, Any]]:
    """Return records of two months in two workspaces. Each batch adds ten times the credits of the one before."""
    usage = {"credits": 10**number, "languages": [{"locale": "de", "characters": 10**number}]}
    return [
        record(f"{number}-{day}", workspace_id=workspace_id, timestamp=f"2026-{day}T10:00:00Z", usage=usage)
        for workspace_id in KEYS
        for day in ("10-05", "11-20")
    ]


def test_readers_see_whole_commits(folder: DataFolder) -> None:
    """No answer mixes commits or goes back to an older one. Only before the first commit is an answer an error."""
    write_directory(folder.root)
    app = create_app(Settings.read({}, data_dir=folder.root), lambda: instant(NOW))
    rng = random.Random(3)
    seen: dict[str, list[int]] = {workspace_id: [0] for workspace_id in KEYS}
    asked = 0

    def ask() -> None:
        nonlocal asked
        for workspace_id, key in KEYS.items():
            headers = [("authorization", f"Bearer {key}")]
            reply = call(app, "/api/v1/usage/summary", b"range=60d", headers)
            asked += 1
            if reply.status == 503 and seen[workspace_id] == [0]:
                continue
            assert reply.status == 200, reply.body
            data = json.loads(reply.body)["data"]
            found = sum(day["credits"] for day in data["daily"])
            assert found == data["characters"]["total"]
            if found != seen[workspace_id][-1]:
                seen[workspace_id].append(found)
            feed = json.loads(call(app, "/api/v1/usage/activity", b"range=60d&limit=100", headers).body)["data"]
            assert len({event["id"] for event in feed}) == len(feed)

    for number in range(BATCHES):
        folder.drop(f"{number}.jsonl", batch(number))
        for step in (rng.randrange(4, 22), rng.randrange(4, 30), 1000):
            when: Literal["before", "after"] = rng.choice(["before", "after"])
            with started(folder, step, when, "any", (*RUN, "--now", NOW)) as victim:
                while victim.is_alive():
                    ask()
            ask()
    whole = [sum(2 * 10**k for k in range(number)) for number in range(BATCHES + 1)]
    assert seen == dict.fromkeys(KEYS, whole)
    assert asked > 100
