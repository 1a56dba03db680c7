"""What the comparison measured, as it is kept in JSON: the report is made of nothing else."""

import msgspec

from benchmarks.measuring import Cost


class Timing(msgspec.Struct, frozen=True):
    """How fast one kind of question about one workspace was answered."""

    name: str
    size: str  # of the workspace
    samples: int
    median_ms: float
    p99_ms: float
    rate: float  # answers a second, one client
    rate_crowd: float  # the same, all clients at once


class Zones(msgspec.Struct, frozen=True):
    """One summary of the largest workspace in each zone."""

    questions: int
    seconds: float
    median_ms: float
    p99_ms: float


class Asked(msgspec.Struct, frozen=True):
    """What one engine answered, all of it equal to what the others answered."""

    equal: int  # answers compared
    start_ms: float  # from nothing running to the first answer
    bytes_on_disk: int
    timings: list[Timing]
    zones: Zones


class Appended(msgspec.Struct, frozen=True):
    """How long until an answer showed what was appended, and how fast the largest workspace was read before that."""

    batch_lines: int
    batch_ms: float
    late_ms: list[float]  # one event each
    summary_ms: float
    feed_ms: float


class ZoneData(msgspec.Struct, frozen=True):
    """How answers differ where an engine's own zone data make the local days, for the largest workspace, 90 days."""

    zones: int
    unknown: list[str]
    differing: dict[str, int]  # numbers that differ, by zone
    numbers: int  # compared
    median_ms: float


class Result(msgspec.Struct, frozen=True):
    """Everything about one engine; None where it does not take part in that."""

    title: str
    load: Cost | None  # what it was based on included
    asked: Asked | None
    reading: Cost | None  # of the process that asked
    appended: Appended | None
    zone_data: ZoneData | None


class Grown(msgspec.Struct, frozen=True):
    """One engine with some history behind it."""

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
    """Where it ran."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    packages: dict[str, str]


class Run(msgspec.Struct, frozen=True):
    """One size, all engines side by side."""

    events: int
    lines: int  # good ones
    clean_bytes: int
    workspaces: int
    days: int
    sizes: dict[str, int]  # events in 90 days, by the name of the workspace's size
    crowd: int
    results: dict[str, Result]
    skipped: dict[str, str]  # why, by engine
    harness_mib: float  # that every step needs for itself
    zone_rollup: ZoneRollup | None
    grown: list[Grown]


class Comparison(msgspec.Struct, frozen=True):
    """All runs."""

    taken: str
    minutes: float
    machine: Machine
    zone_data: str
    runs: list[Run]
    busy: float | None = None  # processes that others kept running before it began, on average
