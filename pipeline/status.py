"""What stands and what waits: the published tables, the last runs, raw files not read yet, the settings in force.

Reads `published.json`, `runs/`, the ledger and `raw/`; writes nothing.
"""

from typing import Any

import msgspec

from pipeline import listing
from pipeline.accounting import RunReport
from pipeline.calendar import SECOND_US
from pipeline.settings import SETTINGS, Settings
from pipeline.state import State
from pipeline.store import Store
from pipeline.tables import PUBLISHED, RAW, Published


class Waiting(msgspec.Struct, frozen=True):
    """Raw files that the next run will read."""

    files: int
    bytes: int


class Status(msgspec.Struct, frozen=True):
    """What `usage status` shows; `age_seconds` is how old the published data is."""

    published: Published | None
    age_seconds: float | None
    waiting: Waiting
    runs: list[RunReport]  # the last ones, newest first
    settings: dict[str, Any]  # by environment variable


def read(settings: Settings, now: int, runs: int) -> Status:
    """Return the status of a data folder.

    Args:
        settings: name the folder.
        now: microseconds UTC.
        runs: how many of the last runs are wanted.
    """
    store = Store(settings.data_dir.absolute())
    content = store.read(PUBLISHED)
    published = msgspec.json.decode(content, type=Published) if content else None
    return Status(
        published=published,
        age_seconds=(now - published.data_as_of) / SECOND_US if published else None,
        waiting=_waiting(store),
        runs=_last_runs(store, runs),
        settings={setting.variable: str(getattr(settings, setting.name)) for setting in SETTINGS},
    )


def _waiting(store: Store) -> Waiting:
    if not store.exists(RAW):
        return Waiting(0, 0)
    entries = {}
    if store.exists("state.sqlite"):
        state = State(store.path("state.sqlite"))
        entries = state.entries()
        state.close()
    parts = listing.changed(store.path(RAW), entries)
    return Waiting(len(parts), sum(part.bytes for part in parts))


def _last_runs(store: Store, wanted: int) -> list[RunReport]:
    found: list[RunReport] = []
    for path in sorted(store.path("runs").glob("*.jsonl"), reverse=True):
        if len(found) >= wanted:
            break
        found += [msgspec.json.decode(line, type=RunReport) for line in reversed(path.read_bytes().splitlines())]
    return found[:wanted]
