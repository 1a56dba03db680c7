"""Data folders for the read benchmarks: made-up events, loaded, with API keys to read them.

Writes `raw/` and `directory/` of a data folder and runs `usage run` on it.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.load import load_logs
from pipeline.contract.calendar import rfc3339
from pipeline.contract.directory import LOCAL_KEYS, MEMBERS, PRODUCT_KEYS, READ_SCOPE, ApiKey, Member, sha256_hex
from pipeline.contract.settings import DIRECTORY
from pipeline.keys import new_secret, write_rows

USER: Final = str(uuid.UUID(int=1))
RARE_USER: Final = str(uuid.UUID(int=2))


def event(workspace: int, name: str, moment: int, user_id: str = USER, locale: str = "de-DE") -> bytes:
    """Return one line of a log.

    Args:
        workspace: the number that becomes the workspace's UUID.
        name: unique among the events of the workspace.
        moment: when the event happened, in microseconds UTC.
        user_id: the user who acted.
        locale: the language of its text.
    """
    record = {
        "id": f"evt_{name}",
        "workspace_id": str(uuid.UUID(int=workspace)),
        "timestamp": rfc3339(moment),
        "action": "voice_generated",
        "kind": "text_to_speech",
        "resource": {"type": "voice", "id": f"voice_{moment % 97}", "name": "Nova"},
        "user": {"id": user_id, "name": "Ada"},
        "metadata": {"request_id": name, "duration_ms": moment % 997},
        "usage": {"credits": moment % 50, "languages": [{"locale": locale, "characters": moment % 700, "lines": 3}]},
    }
    return json.dumps(record).encode() + b"\n"


def readers(workspaces: int) -> list[tuple[str, str]]:
    """Return the (workspace, user) pairs of as many workspaces, all with the same user."""
    return [(str(uuid.UUID(int=number)), USER) for number in range(workspaces)]


def make_folder(data: Path, lines: Iterable[bytes], members: Sequence[tuple[str, str]]) -> list[str]:
    """Make a data folder of these lines and load it; return a key for each (workspace, user)."""
    (data / "raw").mkdir(parents=True)
    with (data / "raw" / "events.jsonl").open("wb") as file:
        file.writelines(lines)
    load_logs(data)
    users = [(workspace, user) for workspace, member in members for user in (member, RARE_USER)]
    (data / DIRECTORY).mkdir()
    write_rows(data / DIRECTORY / MEMBERS, (Member(*user, "Ada", "admin", "active") for user in users))
    return write_keys(data, members)


def write_keys(data: Path, members: Sequence[tuple[str, str]]) -> list[str]:
    """Write and return a new key for each (workspace, user); earlier local keys of the folder are replaced."""
    secrets = [new_secret() for _ in members]
    rows = [
        ApiKey(f"bench_{number}", sha256_hex(secret), *member, (READ_SCOPE,))
        for number, (secret, member) in enumerate(zip(secrets, members, strict=True))
    ]
    write_rows(data / DIRECTORY / LOCAL_KEYS, rows)
    return secrets


def busiest(data: Path) -> tuple[str, str]:
    """Return the (workspace, user) of a sample's first key, which belongs to its busiest workspace."""
    first = (data / DIRECTORY / PRODUCT_KEYS).read_bytes().split(b"\n")[0]
    row = msgspec.json.decode(first, type=ApiKey)
    return row.workspace_id, row.user_id
