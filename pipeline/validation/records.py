"""The two shapes of a log record: as a line has it (`Record`), and as a row of `events` (`Row`).

No instance can refer to itself, so the garbage collector need not track millions of them (`gc=False`). The fields of
`Record` are in the order of the contract's table, in which the first fault counts.
"""

from typing import Annotated, Final, Literal

import msgspec

from pipeline.contract.tables import Status

LINE_BYTES_MAX: Final = 1 << 20
ID_CHARACTERS_MAX: Final = 128
COUNT_MAX: Final = 10**12
METADATA_DEPTH_MAX: Final = 128
RUN_ACTION: Final = "workflow_run"  # the one that requires `run`

Reason = Literal[
    "invalid_json",
    "invalid_encoding",
    "not_an_object",
    "line_too_long",
    "missing_field",
    "invalid_type",
    "invalid_value",
    "timestamp_out_of_range",
    "invalid_locale",
    "truncated_line",
]

Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]


class Resource(msgspec.Struct, gc=False):
    """The object of an event."""

    type: str
    id: str | None = None
    name: str | None = None


class User(msgspec.Struct, gc=False):
    """The user who caused an event."""

    id: str
    name: str


class Run(msgspec.Struct, gc=False):
    """The run that an event is, or belongs to."""

    id: str
    status: Status


class Language(msgspec.Struct, gc=False):
    """What one event used in one locale."""

    locale: str | None = None
    characters: Count = 0
    lines: Count = 0
    corrected: Count = 0


class Usage(msgspec.Struct, gc=False):
    """What one event used."""

    credits: Count = 0
    audio_ms: Count = 0
    languages: list[Language] | None = None


class Record(msgspec.Struct, kw_only=True, gc=False):
    """One line of the log."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=ID_CHARACTERS_MAX)]
    workspace_id: str
    timestamp: str
    recorded_at: str | None = None
    action: str
    kind: str
    resource: Resource
    user: User | None = None
    metadata: msgspec.Raw = msgspec.Raw(b"null")
    ip: str | None = None
    run: Run | None = None
    usage: Usage | None = None


class Row(msgspec.Struct, gc=False):
    """One good line: its workspace and the columns of `events`; instants are microseconds UTC."""

    workspace_id: str
    id: str
    timestamp: int
    recorded_at: int
    action: str
    kind: str
    resource_type: str
    resource_id: str | None
    resource_name: str | None
    user_id: str | None
    user_name: str | None
    metadata: str | None
    ip: str | None
    run_id: str | None
    run_status: Status | None
    credits: int
    audio_ms: int
    languages: list[Language]


class Rejection(msgspec.Struct, gc=False):
    """The reason why a line is in quarantine; the message is for a person who can act on it."""

    reason: Reason
    field: str | None
    message: str
