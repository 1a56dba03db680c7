"""What is published and what waits: the published tables, the last runs, new raw files, the settings in force.

Reads `published.json`, `runs/`, the ledger, `raw/` and `directory/`; writes nothing and creates no file.
"""

import sqlite3
from typing import Any

import msgspec

from pipeline.contract import directory
from pipeline.contract.calendar import SECOND_US
from pipeline.contract.settings import Settings
from pipeline.contract.tables import DIRECTORY, PUBLISHED, RAW, Published
from pipeline.load import discovery
from pipeline.load.discovery import Waiting
from pipeline.load.results import RunReport
from pipeline.storage import catalog
from pipeline.storage.state import read_entries
from pipeline.storage.store import Store
from pipeline.validation import native

# What a decoder raises where bytes are not JSON, not UTF-8, or nested too deep.
_UNDECODABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class Validation(msgspec.Struct, frozen=True):
    """How lines are validated: `compiled`, or else several times slower in Python, for this reason."""

    compiled: bool
    reason: str | None


class Status(msgspec.Struct, frozen=True):
    """What `usage status` shows."""

    published: Published | None
    age_seconds: float | None  # of the published data; None: unknown
    waiting: Waiting | None  # None: unknown
    runs: list[RunReport]  # the last ones, newest first
    settings: dict[str, Any]  # by environment variable
    validation: Validation
    problems: list[str]  # which of these could not be read, and why; also exports of the directory without rows


def read(settings: Settings, now: int, runs: int) -> Status:
    """Return the status of a data folder.

    Args:
        settings: name the folder.
        now: microseconds UTC.
        runs: how many of the last runs to return.
    """
    store = Store(settings.data_dir.absolute())
    problems: list[str] = []
    published = _published(store, problems)
    waiting = _waiting(store, problems)
    last_runs = _last_runs(store, runs, problems)
    problems += directory.problems(store.path(DIRECTORY))
    return Status(
        published=published,
        age_seconds=_age(published, now),
        waiting=waiting,
        runs=last_runs,
        settings=settings.shown(),
        validation=Validation(native.UNAVAILABLE is None, native.UNAVAILABLE),
        problems=problems,
    )


def _age(published: Published | None, now: int) -> float | None:
    if published is None or published.data_as_of is None:
        return None
    return (now - published.data_as_of) / SECOND_US


def _published(store: Store, problems: list[str]) -> Published | None:
    content = store.read(PUBLISHED)
    try:
        return None if content is None else msgspec.json.decode(content, type=Published)
    except _UNDECODABLE as error:
        problems.append(f"{PUBLISHED} is damaged: {error}")
        return None


def _waiting(store: Store, problems: list[str]) -> Waiting | None:
    if not store.exists(RAW):
        return Waiting(0, 0)
    try:
        return Waiting.of(discovery.changed(store.path(RAW), read_entries(store.path("state.sqlite"))))
    except (sqlite3.Error, *_UNDECODABLE) as error:
        problems.append(f"state.sqlite cannot be read now: {error}")
    except OSError as error:
        problems.append(f"{RAW}/ cannot be listed: {error}")
    return None


def _last_runs(store: Store, wanted: int, problems: list[str]) -> list[RunReport]:
    found: list[RunReport] = []
    for uri in reversed(catalog.runs_files(store)):
        lines = (store.read(uri) or b"").split(b"\n")
        for number, line in reversed(list(enumerate(lines, start=1))):
            if len(found) >= wanted:
                return found
            if not line.strip():
                continue
            try:
                found.append(msgspec.json.decode(line, type=RunReport))
            except _UNDECODABLE as error:
                problems.append(f"{uri}:{number} is damaged: {error}")
    return found
