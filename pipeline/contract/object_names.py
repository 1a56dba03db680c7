"""The names of objects on an object store, and the logical paths whose files they hold.

Defines them; reads and writes nothing. A logical path is the path of the same file in a data folder. Every object has a
name of its own, made of the run and its attempt, so nobody ever replaces one; `contract/layout` says which are current.

    published.json                                  the root: replaced by one conditional PUT, which is the commit
    index/<k>/<run>-<attempt>.json.zst              shard k of the index: the current files of some workspaces
    ledger/<k>/<run>-<attempt>.json.zst             shard k of the ledger; only writers read it
    superseded/<run>-<attempt>.json.zst             the keys that a commit replaced, which are deleted after a grace
    lease.json                                      who is writing; the only other object that is replaced
    events/_delta_log/                              a log of the events for other engines, if it is wanted

    logical path                                    key of its object
    events/workspace_id=W/day=D/events.parquet      events/workspace_id=W/day=D/<run>-<attempt>.parquet
    cube/workspace_id=W/month=M/<run>.parquet       cube/workspace_id=W/month=M/<run>-<attempt>.parquet
    actors/workspace_id=W/month=M/<run>.parquet     actors/workspace_id=W/month=M/<run>-<attempt>.parquet
    quarantine/<hash>.parquet                       quarantine/<hash>/<run>-<attempt>.parquet
    runs/<UTC day>.jsonl                            runs/<UTC day>/<run>-<attempt>.jsonl
    tombstones.jsonl                                tombstones/<run>-<attempt>.jsonl
    carried_out.json                                carried_out/<run>-<attempt>.json
"""

import hashlib
import re
from typing import Final, NamedTuple

from pipeline.contract.tables import PUBLISHED

ROOT: Final = PUBLISHED
LEASE: Final = "lease.json"
TOMBSTONES: Final = "tombstones.jsonl"
CARRIED_OUT: Final = "carried_out.json"
DELTA_LOG: Final = "events/_delta_log"
SHARDS: Final = 256

_TABLE_FILE: Final = re.compile(
    r"(?:(events)/workspace_id=([^/]+)/day=([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"|(cube|actors)/workspace_id=([^/]+)/month=([0-9]{4}-[0-9]{2}))/([^/]+\.parquet)"
).fullmatch
_OTHER_FILE: Final = re.compile(r"((?:quarantine|runs)/[^/.]+|tombstones|carried_out)(\.[a-z]+)").fullmatch
# Run ids and attempts contain no hyphen.
_OTHER_OBJECT: Final = re.compile(
    r"((?:quarantine|runs)/[^/.]+|tombstones|carried_out)/[^-/.]+-[^-/.]+(\.[a-z]+)"
).fullmatch
_EVENTS: Final = "events.parquet"
# What runs put besides published files; `staging/` and `probe/` are folders of this program alone.
_PACKED_OBJECT: Final = re.compile(
    r"(?:(?:index|ledger)/[0-9a-f]{2}|superseded)/[^/]+-[^/]+\.json\.zst|(?:staging|probe)/.+"
)


class TableFile(NamedTuple):
    """The parts of the logical path, or of the key, of a table's file. The partition is a UTC day or month."""

    table: str
    workspace_id: str
    partition: str
    name: str


def table_file(path: str) -> TableFile | None:
    """Return the parts of a logical path or of a key; None if it is not that of a table's file."""
    found = _TABLE_FILE(path)
    return None if found is None else TableFile(*(part for part in found.groups() if part is not None))


def table_path(table: str, workspace_id: str, partition: str, name: str) -> str:
    """Return the logical path of a table's file; `name` is the last part of the key of its object."""
    if table == "events":
        return f"events/workspace_id={workspace_id}/day={partition}/{_EVENTS}"
    return f"{table}/workspace_id={workspace_id}/month={partition}/{run_of(name)}.parquet"


def object_name(path: str, run: str, attempt: str) -> str:
    """Return the last part of the key under which an attempt of a run writes a file of a logical path."""
    return f"{run}-{attempt}{path[path.rindex('.') :]}"


def object_key(path: str, name: str) -> str:
    """Return the key of an object by its logical path and the last part of the key.

    Raises:
        ValueError: no published file has such a logical path.
    """
    if table_file(path):
        return f"{path.rpartition('/')[0]}/{name}"
    if found := _OTHER_FILE(path):
        return f"{found[1]}/{name}"
    raise ValueError(f"not the path of a published file: {path}")


def logical_path(key: str) -> str | None:
    """Return the logical path of an object; None if the key is not that of a published file."""
    if found := table_file(key):
        return table_path(*found)
    other = _OTHER_OBJECT(key)
    return other[1] + other[2] if other else None


def is_of_run(key: str) -> bool:
    """Return whether the key of an object is one that runs give."""
    return logical_path(key) is not None or _PACKED_OBJECT.fullmatch(key) is not None


def run_of(name: str) -> str:
    """Return the run that wrote an object, by the last part of its key."""
    return name.partition("-")[0].partition(".")[0]


def shard_of(name: str) -> str:
    """Return the shard, `00` to `ff`, of a workspace, of a raw object, or of a logical path outside the tables."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:2]


def shard_of_path(path: str) -> str:
    """Return the shard of the index that holds a logical path."""
    found = table_file(path)
    return shard_of(path if found is None else found.workspace_id)


def packed_name(run: str, attempt: str) -> str:
    """Return the last part of the key of a shard, or of a list of superseded keys."""
    return f"{run}-{attempt}.json.zst"


def index_key(shard: str, name: str) -> str:
    """Return the key of a shard of the index."""
    return f"index/{shard}/{name}"


def ledger_key(shard: str, name: str) -> str:
    """Return the key of a shard of the ledger."""
    return f"ledger/{shard}/{name}"


def superseded_key(name: str) -> str:
    """Return the key of a list of superseded keys."""
    return f"superseded/{name}"
