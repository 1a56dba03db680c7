"""`usage report` of tables on an object store."""

import json
from pathlib import Path

from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from tests.support.data_folder import NOW, WORKSPACE, record
from tests.support.forked_command import command
from tests.support.object_servers import ENVIRONMENT, READER_KEYS


def test_report(location: Location, client: Client, tmp_path: Path) -> None:
    """It reads what a run has put there, with a key that only reads, and removes what it needs meanwhile.

    Before the first run it says that nothing is published, and without the store why it cannot be read.
    """
    line = record(usage={"credits": 7, "languages": [{"locale": "de", "characters": 5}]})
    client.replace("raw/a.jsonl", json.dumps(line).encode() + b"\n", None)
    client.replace("directory/members.jsonl", b"", None)
    settings = {
        **ENVIRONMENT,
        "USAGE_DATA_DIR": location.url,
        "USAGE_S3_ENDPOINT": str(location.endpoint),
        "USAGE_CACHE_DIR": str(tmp_path / "cache"),
        "USAGE_SCRATCH": str(tmp_path),
    }
    reader = {"AWS_ACCESS_KEY_ID": READER_KEYS[0], "AWS_SECRET_ACCESS_KEY": READER_KEYS[1]}
    asked = ["report", "--workspace", WORKSPACE, "--month", "2026-11", "--format", "json"]
    assert command(tmp_path, asked, settings=settings | reader) == (1, b"", b"error: nothing is published yet\n")
    ended = command(tmp_path, ["run", "--workers", "1", "--now", NOW], settings=settings)
    assert ended.code == 0, ended.stderr
    ended = command(tmp_path, asked, settings=settings | reader)
    assert (ended.code, ended.stderr) == (0, b"")
    found = json.loads(ended.stdout)
    assert (found["total_credits"], found["data_as_of"]) == (7, NOW)
    assert [row["locale_code"] for row in found["languages"]] == ["de"]
    ended = command(tmp_path, [*asked[:2], WORKSPACE.replace("6", "7"), *asked[3:]], settings=settings | reader)
    assert ended.code == 2
    assert b"it has no events, and members.jsonl lacks it" in ended.stderr
    (used,) = (tmp_path / "cache").glob("usage-cache-*")
    assert [path.name for path in used.iterdir()] == ["objects"]
    ended = command(tmp_path, asked, settings=settings | {"USAGE_S3_ENDPOINT": "http://127.0.0.1:1"})
    assert (ended.code, ended.stdout) == (1, b"")
    log, said = ended.stderr.splitlines()
    assert json.loads(log)["event"].startswith("object store not readable")
    assert said.startswith(b"error: "), said
    assert b"nothing is published" not in said
