"""The results of the comparison, as stored in JSON; the report is made from nothing else.

Field names are keys of stored results: a renamed field makes them unreadable.
"""

import msgspec

from benchmarks.measuring import Cost


class Timing(msgspec.Struct, frozen=True):
    """The speed of one kind of question about one workspace."""

    name: str
    size: str  # `largest`, `middle` or `small` workspace
    samples: int
    median_ms: float
    p99_ms: float
    rate: float  # answers per second, one client
    rate_crowd: float  # answers per second, all clients at once


class Zones(msgspec.Struct, frozen=True):
    """One summary of the largest workspace in each zone."""

    questions: int
    seconds: float
    median_ms: float
    p99_ms: float


class Asked(msgspec.Struct, frozen=True):
    """The answers of one engine, all of which equal this project's."""

    equal: int  # number of answers compared
    start_ms: float  # from starting the engine to its first answer
    bytes_on_disk: int
    timings: list[Timing]
    zones: Zones


class Appended(msgspec.Struct, frozen=True):
    """How long it takes until an answer shows an appended log, and the latencies before that."""

    batch_lines: int
    batch_ms: float
    late_ms: list[float]  # of logs with one late event each
    summary_ms: float  # of the largest workspace, before anything is appended
    feed_ms: float


class ZoneData(msgspec.Struct, frozen=True):
    """How answers differ if an engine computes local days itself, for 90 days of the largest workspace."""

    zones: int
    unknown: list[str]
    differing: dict[str, int]  # by zone, how many numbers differ
    numbers: int  # how many were compared
    median_ms: float


class Result(msgspec.Struct, frozen=True):
    """Everything about one engine; None for the steps in which it does not take part."""

    title: str
    load: Cost | None  # including the load of the engine that it is based on
    asked: Asked | None
    reading: Cost | None  # of the process that asked the questions
    appended: Appended | None
    zone_data: ZoneData | None


class Grown(msgspec.Struct, frozen=True):
    """One engine, appending to a history of some length."""

    engine: str
    days: int
    events: int
    appended: Appended


class ZoneRollup(msgspec.Struct, frozen=True):
    """A roll-up by the local days of one zone, in PostgreSQL."""

    zone: str
    seconds: float
    bytes: int


class Machine(msgspec.Struct, frozen=True):
    """The machine that the comparison ran on."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    packages: dict[str, str]


class Run(msgspec.Struct, frozen=True):
    """The results of all engines at one size."""

    events: int
    lines: int  # valid lines
    clean_bytes: int
    workspaces: int
    days: int
    sizes: dict[str, int]  # events in 90 days of the `largest`, `middle` and `small` workspace
    crowd: int  # clients at once
    results: dict[str, Result]  # by engine
    skipped: dict[str, str]  # by engine, the reason
    harness_mib: float  # memory that every step uses without an engine
    zone_rollup: ZoneRollup | None
    grown: list[Grown]


class Comparison(msgspec.Struct, frozen=True):
    """All runs of a comparison."""

    taken: str  # the date
    minutes: float
    machine: Machine
    zone_data: str
    runs: list[Run]
    busy: float | None = None  # load average of the machine before the comparison began
