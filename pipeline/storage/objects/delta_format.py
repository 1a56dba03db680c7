"""The log of a Delta table, as far as one of `events` needs it: what a version says, and what a checkpoint says.

Pure functions; see the protocol of Delta Lake. The table has the columns of `EVENTS` and two that are in the names of
folders. Other programs must not write it: it asks writers for a feature that none of them has.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contract.tables import EVENTS

_ENGINE: Final = "workspace-usage"
_READER: Final = ["timestampNtz"]  # instants are UTC without a zone
_WRITER: Final = [*_READER, "workspaceUsage"]
_PARTITIONS: Final = ["workspace_id", "day"]
_PORTION: Final = 100_000  # rows of a checkpoint that are composed together
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
    first: list[dict[str, Any]] = [{"commitInfo": info}]
    if table is not None:
        first += [{"protocol": _PROTOCOL}, {"metaData": _metadata(table)}]
    removed = ({"path": path, "deletionTimestamp": stored, "dataChange": True} for path in sorted(version.removed))
    removes = ({"remove": remove} for remove in removed)
    adds = ({"add": add} for add in _adds(version.added, stored))
    return b"".join(msgspec.json.encode(action) + b"\n" for action in chain(first, removes, adds))


def decode_version(content: bytes) -> Version:
    """Return what a version says.

    Raises:
        ValueError: this program did not write it.
    """
    try:
        actions = [msgspec.json.decode(line) for line in content.splitlines()]
        return Version(
            next(action["commitInfo"]["root"] for action in actions if "commitInfo" in action),
            {action["add"]["path"]: action["add"]["size"] for action in actions if "add" in action},
            [action["remove"]["path"] for action in actions if "remove" in action],
        )
    except (msgspec.MsgspecError, KeyError, TypeError, StopIteration):
        raise ValueError("another program wrote it") from None


def encode_checkpoint(files: Mapping[str, int], stored: int, table: str) -> bytes:
    """Return a checkpoint: a Parquet file from which all files of a version are known.

    Args:
        files: sizes in bytes by path relative to `events/`.
        stored: when the root was stored, in milliseconds since 1970.
        table: the address of the table.
    """
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, _CHECKPOINT) as writer:
        writer.write_table(pa.Table.from_pylist([{"protocol": _PROTOCOL}, {"metaData": _metadata(table)}], _CHECKPOINT))
        paths = sorted(files)
        for start in range(0, len(paths), _PORTION):
            writer.write_table(_added(paths[start : start + _PORTION], files, stored))
    return bytes(sink.getvalue())


def decode_checkpoint(content: bytes) -> dict[str, int]:
    """Return the sizes of the files of a checkpoint by path.

    Raises:
        ValueError: this program did not write it.
    """
    try:
        found = pq.read_table(pa.BufferReader(content), columns=["add"]).flatten()
        sizes = dict(zip(found["add.path"].to_pylist(), found["add.size"].to_pylist(), strict=True))
    except (pa.ArrowException, OSError, KeyError):
        raise ValueError("it is damaged, or another program wrote it") from None
    sizes.pop(None, None)  # of the rows that are no files
    return sizes


def _added(paths: list[str], files: Mapping[str, int], stored: int) -> pa.Table:
    """Return the rows of a checkpoint for some files; column by column, which takes a tenth of the time."""
    values = [value for path in paths for value in _values(path).values()]
    ends = range(0, len(values) + 1, len(_PARTITIONS))
    keys = pa.array(_PARTITIONS * len(paths), pa.string())
    adds = pa.StructArray.from_arrays(
        [
            pa.array(paths, pa.string()),
            pa.MapArray.from_arrays(pa.array(ends, pa.int32()), keys, pa.array(values, pa.string())),
            pa.array(map(files.__getitem__, paths), pa.int64()),
            pa.repeat(pa.scalar(stored, pa.int64()), len(paths)),
            pa.repeat(pa.scalar(True), len(paths)),
        ],
        fields=list(_CHECKPOINT.field("add").type),
    )
    others = {name: pa.nulls(len(paths), _CHECKPOINT.field(name).type) for name in ("protocol", "metaData")}
    return pa.table(others | {"add": adds}, _CHECKPOINT)


def _adds(files: Mapping[str, int], stored: int) -> Iterator[dict[str, Any]]:
    for path, size in sorted(files.items()):
        yield {
            "path": path,
            "partitionValues": _values(path),
            "size": size,
            "modificationTime": stored,
            "dataChange": True,
        }


def _values(path: str) -> dict[str, str]:
    """Return the values of `_PARTITIONS`, in their order, of a file."""
    folders = (part.partition("=") for part in path.split("/")[:-1])
    return {name: value for name, _, value in folders}


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
