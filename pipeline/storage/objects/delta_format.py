"""The log of a Delta table, as far as one of `events` needs it: what a version says, and what a checkpoint says.

Pure functions; see the protocol of Delta Lake. The table has the columns of `EVENTS` and two that are in the names of
folders. Other programs must not write it: it asks writers for a feature that none of them has.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contract.tables import EVENTS

_ENGINE: Final = "workspace-usage"
_READER: Final = ["timestampNtz"]  # instants are UTC without a zone
_WRITER: Final = [*_READER, "workspaceUsage"]
_PARTITIONS: Final = ["workspace_id", "day"]
_PROTOCOL: Final = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": _READER, "writerFeatures": _WRITER}
_TYPES: Final[Mapping[pa.DataType, str]] = {
    pa.string(): "string",
    pa.int64(): "long",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp_ntz",
}
_TEXTS: Final = pa.map_(pa.string(), pa.string())
_CHECKPOINT: Final = pa.schema(
    {
        "protocol": pa.struct(
            {
                "minReaderVersion": pa.int32(),
                "minWriterVersion": pa.int32(),
                "readerFeatures": pa.list_(pa.string()),
                "writerFeatures": pa.list_(pa.string()),
            }
        ),
        "metaData": pa.struct(
            {
                "id": pa.string(),
                "format": pa.struct({"provider": pa.string(), "options": _TEXTS}),
                "schemaString": pa.string(),
                "partitionColumns": pa.list_(pa.string()),
                "configuration": _TEXTS,
            }
        ),
        "add": pa.struct(
            {
                "path": pa.string(),
                "partitionValues": _TEXTS,
                "size": pa.int64(),
                "modificationTime": pa.int64(),
                "dataChange": pa.bool_(),
            }
        ),
    }
)


class Version(NamedTuple):
    """What one version of the log says: the root that it describes, and the files that came and went.

    Attributes:
        root: the nonce of the root.
        added: sizes in bytes by path relative to `events/`.
        removed: paths.
    """

    root: str
    added: Mapping[str, int]
    removed: Iterable[str]


def encode_version(version: Version, stored: int, table: str | None) -> bytes:
    """Return the content of a version: a JSON object on each line.

    Args:
        version: what it says.
        stored: when the root was stored, in milliseconds since 1970.
        table: the address of the table, in its first version; None in others.
    """
    info = {"timestamp": stored, "operation": "WRITE", "engineInfo": _ENGINE, "root": version.root}
    actions: list[dict[str, Any]] = [{"commitInfo": info}]
    if table is not None:
        actions += [{"protocol": _PROTOCOL}, {"metaData": _metadata(table)}]
    removed = ({"path": path, "deletionTimestamp": stored, "dataChange": True} for path in sorted(version.removed))
    actions += [{"remove": remove} for remove in removed]
    actions += [{"add": add} for add in _adds(version.added, stored)]
    return b"".join(json.dumps(action, separators=(",", ":")).encode() + b"\n" for action in actions)


def decode_version(content: bytes) -> Version:
    """Return what a version says.

    Raises:
        ValueError: this program did not write it.
    """
    actions = [json.loads(line) for line in content.splitlines()]
    try:
        return Version(
            next(action["commitInfo"]["root"] for action in actions if "commitInfo" in action),
            {action["add"]["path"]: action["add"]["size"] for action in actions if "add" in action},
            [action["remove"]["path"] for action in actions if "remove" in action],
        )
    except (KeyError, TypeError, StopIteration):
        raise ValueError("another program wrote it") from None


def encode_checkpoint(files: Mapping[str, int], stored: int, table: str) -> bytes:
    """Return a checkpoint: a Parquet file from which all files of a version are known.

    Args:
        files: sizes in bytes by path relative to `events/`.
        stored: when the root was stored, in milliseconds since 1970.
        table: the address of the table.
    """
    metadata = _metadata(table)
    rows: list[dict[str, Any]] = [{"protocol": _PROTOCOL}, {"metaData": metadata}]
    rows += [{"add": add | {"partitionValues": list(add["partitionValues"].items())}} for add in _adds(files, stored)]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, _CHECKPOINT), sink)
    return bytes(sink.getvalue())


def decode_checkpoint(content: bytes) -> dict[str, int]:
    """Return the sizes of the files of a checkpoint by path."""
    adds = pq.read_table(pa.BufferReader(content), columns=["add"])["add"].to_pylist()
    return {add["path"]: add["size"] for add in adds if add is not None and add["path"] is not None}


def _adds(files: Mapping[str, int], stored: int) -> Iterator[dict[str, Any]]:
    for path, size in sorted(files.items()):
        folders = (part.partition("=") for part in path.split("/")[:-1])
        values = {name: value for name, _, value in folders}
        yield {
            "path": path,
            "partitionValues": values,
            "size": size,
            "modificationTime": stored,
            "dataChange": True,
        }


def _metadata(table: str) -> dict[str, Any]:
    names = [pa.field("workspace_id", pa.string()), pa.field("day", pa.date32()), *EVENTS]
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, table)),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": [_field(field) for field in names]}),
        "partitionColumns": _PARTITIONS,
        "configuration": {},
    }


def _field(field: pa.Field) -> dict[str, Any]:
    return {"name": field.name, "type": _type(field.type), "nullable": field.nullable, "metadata": {}}


def _type(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return {"type": "array", "elementType": _type(kind.value_type), "containsNull": True}
    if pa.types.is_struct(kind):
        return {"type": "struct", "fields": [_field(field) for field in kind]}
    return _TYPES[kind]
