"""What the pipeline publishes: the tables' columns, their paths, and the two small files that name the current ones.

Defines everything a reader needs to know about the tables; reads and writes nothing. Paths are relative to the data
folder.

    published.json                                      the last commit; renamed last
    manifests/<workspace>.json                          the current cube and actors files; one rename per workspace
    events/workspace_id=W/day=D/events.parquet          one row per event, newest first
    cube/workspace_id=W/month=M/<run>.parquet           one row per (quarter, locale)
    actors/workspace_id=W/month=M/<run>.parquet         one row per (user, action, UTC day)
    quarantine/<hash of the raw file's name>.parquet    one row per rejected line
    runs/<UTC day>.jsonl                                one line per run
"""

import hashlib
from datetime import date
from typing import Final, Literal, get_args

import msgspec
import pyarrow as pa

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import rfc3339

SCHEMA_VERSION: Final = 1

Status = Literal["pending", "running", "paused", "completed", "failed", "cancelled"]

# In the order that decides between versions recorded at the same microsecond: the later status is the current one.
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

# Instants are UTC without a zone on purpose: any client groups them alike, whatever its session's time zone.
_INSTANT: Final = pa.timestamp("us")

LANGUAGES: Final = pa.list_(
    pa.struct(
        [
            pa.field("locale", pa.string()),  # null: untagged
            pa.field("characters", pa.int64()),
            pa.field("lines", pa.int64()),
            pa.field("corrected", pa.int64()),
        ]
    )
)

EVENTS: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("timestamp", _INSTANT, nullable=False),
        pa.field("recorded_at", _INSTANT, nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("resource_type", pa.string(), nullable=False),
        pa.field("resource_id", pa.string()),
        pa.field("resource_name", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("user_name", pa.string()),
        pa.field("metadata", pa.string()),  # JSON text with its numbers and key order as received
        pa.field("ip", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("run_status", pa.string()),
        pa.field("credits", pa.int64(), nullable=False),
        pa.field("audio_ms", pa.int64(), nullable=False),
        pa.field("languages", LANGUAGES, nullable=False),
    ]
)

# Additive integers of one (quarter, locale). Runs and audio are only in the rows without a locale.
MEASURES: Final = (
    "credits",
    "characters",
    "lines",
    "corrected",
    "audio_ms",
    *(f"runs_{status}" for status in STATUSES),
)

CUBE: Final = pa.schema(
    [
        pa.field("quarter", _INSTANT, nullable=False),  # start of the UTC quarter-hour
        pa.field("locale", pa.string()),  # null: untagged
        *(pa.field(measure, pa.int64(), nullable=False) for measure in MEASURES),
    ]
)

ACTORS: Final = pa.schema(
    [
        pa.field("user_id", pa.string()),  # null: system events
        pa.field("action", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),  # UTC
        pa.field("events", pa.int64(), nullable=False),
        pa.field("credits", pa.int64(), nullable=False),
    ]
)

QUARANTINE: Final = pa.schema(
    [
        pa.field("source_file", pa.string(), nullable=False),  # relative to raw/
        pa.field("line_number", pa.int64(), nullable=False),  # from 1
        pa.field("reason", pa.string(), nullable=False),
        pa.field("field", pa.string()),
        pa.field("message", pa.string(), nullable=False),
        pa.field("line", pa.binary(), nullable=False),  # as it was read, without its newline
        pa.field("loaded_at", _INSTANT, nullable=False),
    ]
)

PUBLISHED: Final = "published.json"


class Month(msgspec.Struct, frozen=True):
    """The paths of the current files of one UTC month of one workspace."""

    cube: str
    actors: str


class Manifest(msgspec.Struct, frozen=True):
    """The current files of one workspace as of one commit; the keys of `months` are `YYYY-MM`."""

    workspace_id: str
    run: str
    months: dict[str, Month]


class Published(msgspec.Struct, frozen=True):
    """The content of `published.json`: what the last successful run published.

    `data_as_of` is the instant at which the last run that read all of `raw/` listed it, in microseconds UTC. It is None
    before the first such run. `extra_actions` are those that the last run accepted besides `ACTIONS`. `first_kept_day`
    is the first UTC day that retention keeps; None if it keeps all.
    """

    sequence: int
    run: str
    data_as_of: int | None
    schema_version: int
    zone_data: str
    extra_actions: tuple[str, ...] = ()
    first_kept_day: date | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """Return all actions that the last run accepted; the tables may hold others, from runs before it."""
        return (*ACTIONS, *self.extra_actions)

    @property
    def as_of(self) -> str | None:
        """Return `data_as_of` as RFC 3339."""
        return None if self.data_as_of is None else rfc3339(self.data_as_of)


def events_path(workspace_id: str, day: str) -> str:
    """Return the path of the events of one workspace on one UTC day `YYYY-MM-DD`."""
    return f"events/workspace_id={workspace_id}/day={day}/events.parquet"


def cube_path(workspace_id: str, month: str, run: str) -> str:
    """Return the path of the cube that a run wrote for one workspace and UTC month `YYYY-MM`."""
    return f"cube/workspace_id={workspace_id}/month={month}/{run}.parquet"


def actors_path(workspace_id: str, month: str, run: str) -> str:
    """Return the path of the actors that a run wrote for one workspace and UTC month `YYYY-MM`."""
    return f"actors/workspace_id={workspace_id}/month={month}/{run}.parquet"


def manifest_path(workspace_id: str) -> str:
    """Return the path of the manifest of one workspace."""
    return f"manifests/{workspace_id}.json"


def quarantine_path(source_file: str) -> str:
    """Return the path of the rejected lines of one raw file. It contains a hash, since the name may hold any byte."""
    return f"quarantine/{hashlib.sha256(source_file.encode(errors='surrogateescape')).hexdigest()[:32]}.parquet"


def runs_path(day: str) -> str:
    """Return the path of the records of the runs that started on one UTC day `YYYY-MM-DD`."""
    return f"runs/{day}.jsonl"
