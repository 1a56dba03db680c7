"""Two users in two workspaces, and what an erasure must leave of them."""

import json
import shutil
from typing import Any

import polars as pl

from pipeline.storage.tombstones import Tombstone, append, hashed
from tests.support.command import published
from tests.support.data_folder import NOW, DataFolder, record

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
ADA, BOB = "c0000000-0000-4000-8000-00000000000a", "d0000000-0000-4000-8000-00000000000b"
FORGET = {
    "user": ("--user", ADA.upper()),
    "workspace": ("--workspace", OTHER),
    "both": ("--user", ADA, "--workspace", OTHER, "--user", ADA),
}


def by(user: str, id_: str, **fields: Any) -> dict[str, Any]:
    """Return a record of one of the two users."""
    return record(id_, **{"user": {"id": user, "name": "Ada" if user == ADA else "Bob"}, **fields})


def used(credits_: int) -> dict[str, Any]:
    """Return the usage of an event with two languages."""
    return {"credits": credits_, "languages": [{"locale": "de", "characters": 7}, {"locale": "fr", "characters": 3}]}


def files_with(folder: DataFolder, id_: str) -> list[str]:
    """Return the files and folders that contain an id, except raw files and members.jsonl."""
    found = []
    for path in folder.root.rglob("*"):
        name = path.relative_to(folder.root)
        if name.parts[0] == "raw" or name.as_posix() == "directory/members.jsonl":
            continue
        content = path.read_bytes().lower() if path.is_file() else b""
        if path.suffix == ".parquet":
            content = json.dumps(pl.read_parquet(path).to_dicts(), default=str).lower().encode()
        if id_ in str(name) or id_.encode() in content:
            found.append(str(name))
    return found


def never_kept(folder: DataFolder, arguments: tuple[str, ...]) -> dict[str, Any]:
    """Return the tables of a new folder that had the tombstones before its first run."""
    fresh = DataFolder(folder.root.with_name("fresh"))
    shutil.copytree(folder.root / "raw", fresh.root / "raw")
    for option, id_ in zip(arguments[::2], arguments[1::2], strict=True):
        kind: Any = option.removeprefix("--")
        append(fresh.root, Tombstone(kind, NOW, sha256=hashed(id_.lower())))
    fresh.run()
    return published(fresh)
