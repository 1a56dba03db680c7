"""What the pipeline publishes: columns, paths and the two small files that say what stands.

Everything the service needs to know of the tables is here. Paths are relative to the data folder.

    published.json                                      which run stands; renamed last
    manifests/<workspace>.json                          which cube and actors files stand, one rename per workspace
    events/workspace_id=W/day=D/events.parquet          one row per event, newest first
    cube/workspace_id=W/month=M/<run>.parquet           one row per (quarter, locale)
    actors/workspace_id=W/month=M/<run>.parquet         one row per (user, action, UTC day)
    quarantine/<hash of the raw file's name>.parquet    one row per rejected line
    runs/<UTC day>.jsonl                                one line per run
"""

import hashlib
from typing import Final, Literal, get_args

import msgspec
import pyarrow as pa

from pipeline.contract.calendar import rfc3339

SCHEMA_VERSION: Final = 1

Action = Literal[
    "workflow_run", "voice_generated", "template_applied", "member_invited", "api_key_created", "settings_changed"
]
Status = Literal["pending", "running", "paused", "completed", "failed", "cancelled"]

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
# In the order that decides between versions recorded at the same microsecond: the later one stands.
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

# Instants are naive UTC on purpose: any client, whatever its session's time zone, groups them the same way.
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
        pa.field("metadata", pa.string()),  # JSON text: number text and key order as they came
        pa.field("ip", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("run_status", pa.string()),
        pa.field("credits", pa.int64(), nullable=False),
        pa.field("audio_ms", pa.int64(), nullable=False),
        pa.field("languages", LANGUAGES, nullable=False),
    ]
)

# Additive integers of one (quarter, locale). Runs and audio stand on the rows without locale only.
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
        pa.field("line", pa.binary(), nullable=False),  # as it stood, without its newline
        pa.field("loaded_at", _INSTANT, nullable=False),
    ]
)

PUBLISHED: Final = "published.json"
RAW: Final = "raw"
DIRECTORY: Final = "directory"


class Month(msgspec.Struct, frozen=True):
    """The files that stand for one UTC month of one workspace."""

    cube: str
    actors: str


class Manifest(msgspec.Struct, frozen=True):
    """The tables of one workspace as of one commit: `months` by `YYYY-MM`."""

    workspace_id: str
    run: str
    months: dict[str, Month]


class Published(msgspec.Struct, frozen=True):
    """What the last successful run published.

    `data_as_of` is when the last run that read all of `raw/` listed it, in microseconds UTC; None where none did yet.
    """

    sequence: int
    run: str
    data_as_of: int | None
    schema_version: int
    zone_data: str

    @property
    def as_of(self) -> str | None:
        """Return `data_as_of` as text."""
        return None if self.data_as_of is None else rfc3339(self.data_as_of)


def events_path(workspace_id: str, day: str) -> str:
    """Return the path of one (workspace, UTC day `YYYY-MM-DD`)."""
    return f"events/workspace_id={workspace_id}/day={day}/events.parquet"


def cube_path(workspace_id: str, month: str, run: str) -> str:
    """Return the path of one run's cube of one (workspace, UTC month `YYYY-MM`)."""
    return f"cube/workspace_id={workspace_id}/month={month}/{run}.parquet"


def actors_path(workspace_id: str, month: str, run: str) -> str:
    """Return the path of one run's actors of one (workspace, UTC month `YYYY-MM`)."""
    return f"actors/workspace_id={workspace_id}/month={month}/{run}.parquet"


def manifest_path(workspace_id: str) -> str:
    """Return the path of one workspace's manifest."""
    return f"manifests/{workspace_id}.json"


def quarantine_path(source_file: str) -> str:
    """Return the path of one raw file's rejected lines; names of raw files may hold any character."""
    return f"quarantine/{hashlib.sha256(source_file.encode(errors='surrogateescape')).hexdigest()[:32]}.parquet"


def runs_path(day: str) -> str:
    """Return the path of the runs started on one UTC day."""
    return f"runs/{day}.jsonl"
