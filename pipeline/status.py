"""What is published and what waits: the published tables, the last runs, new raw files, the settings in force.

Reads `published.json`, `runs/`, the ledger, `raw/` and `directory/`; writes nothing and creates no file.
"""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pipeline.contract import directory
from pipeline.contract.calendar import SECOND_US
from pipeline.contract.settings import Settings
from pipeline.contract.tables import Published
from pipeline.load import discovery
from pipeline.load.discovery import Waiting
from pipeline.load.listing import Ignored, Listing, RawFolderError
from pipeline.load.raw_names import FORM, is_odd
from pipeline.load.raw_source import open_raw
from pipeline.load.results import FileError, RunReport
from pipeline.load.unread import UnreadFiles
from pipeline.storage import catalog
from pipeline.storage.opened import open_directory, open_store, read_ledger
from pipeline.storage.store import DamagedError, Store
from pipeline.validation import native

# What a decoder raises if bytes are not JSON, not UTF-8, or nested too deeply.
_UNDECODABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class Validation(msgspec.Struct, frozen=True):
    """How lines are validated: `compiled`, or else in Python, which is several times slower, for `reason`."""

    compiled: bool
    reason: str | None


class Status(msgspec.Struct, frozen=True):
    """What `usage status` shows."""

    published: Published | None
    age_seconds: float | None  # of the published data; None: unknown
    waiting: Waiting | None  # None: unknown
    unread: list[FileError]  # raw files that hold the data back, since they could not be read to their end
    accepted: list[FileError]  # raw files that would, if nobody had taken them for whole
    ignored: Ignored | None  # files of other names in raw/; None: unknown
    runs: list[RunReport]  # the last ones, newest first
    settings: dict[str, Any]  # by environment variable
    validation: Validation
    problems: list[str]  # what could not be read, or keeps data out, and what to do about it; a line each


def first_step(status: Status) -> str | None:
    """Return what to do where nothing is published yet; None where something is."""
    if status.published is not None:
        return None
    if status.waiting is not None and status.waiting.files:
        return "nothing is published yet: run `usage run`"
    return "nothing is published yet: put logs into raw/ and run `usage run`"


class _Raw(msgspec.Struct):
    """What a listing of `raw/` says; `None` is unknown."""

    waiting: Waiting | None = None
    unread: list[FileError] = []
    accepted: list[FileError] = []
    ignored: Ignored | None = None


def read(settings: Settings, now: int, runs: int) -> Status:
    """Return the status of a data folder.

    Args:
        settings: where the folder is.
        now: microseconds UTC.
        runs: how many of the last runs to return.
    """
    problems: list[str] = []
    with open_store(settings) as store:
        published = _published(store, problems)
        raw = _raw(settings, problems)
        last_runs = _last_runs(store, runs, problems)
    with open_directory(settings) as folder:
        # A directory is for readers, and there is nothing to read before the first run.
        expected = published is not None or bool(last_runs)
        problems += directory.problems(folder, settings.directory_address, expected=expected)
    return Status(
        published=published,
        age_seconds=_age(published, now),
        waiting=raw.waiting,
        unread=raw.unread,
        accepted=raw.accepted,
        ignored=raw.ignored,
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
    try:
        return store.published()
    except DamagedError as error:
        problems.append(str(error))
        return None


def _raw(settings: Settings, problems: list[str]) -> _Raw:
    """Return what a listing of `raw/` says, as far as it is known."""
    found = _Raw()
    try:
        listing = open_raw(settings).listed()
        found.ignored = listing.ignored
        problems += _misnamed(listing, settings)
        entries, stored = read_ledger(settings)
    except RawFolderError as error:
        problems.append(_no_raw(error, settings))
    except (sqlite3.Error, *_UNDECODABLE) as error:
        problems.append(f"state.sqlite cannot be read now: {error}")
    else:
        unread = UnreadFiles(entries, stored, listing, everything=True)
        found.waiting = Waiting.of(discovery.changed(listing, entries, unread.files))
        found.unread, found.accepted = unread.waiting(), unread.accepted()
    return found


def _no_raw(error: RawFolderError, settings: Settings) -> str:
    """Return what to do where `raw/` cannot be listed."""
    if isinstance(settings.data, Path) and not os.path.exists(settings.data):  # noqa: PTH110 - never raises
        return f"{settings.data} does not exist: create it with a folder raw/ for the logs, or name another --data-dir"
    return f"{error}; a run would read nothing and exit 2: create or mount it, or name another --data-dir"


def _misnamed(listing: Listing, settings: Settings) -> Iterator[str]:
    """Yield what is wrong with the names of raw files: none that is read, or such that a person cannot see."""
    if listing.ignored.count and not listing.names():
        raw = settings.raw if isinstance(settings.raw, Path) else settings.raw.url
        yield f"{raw} has no file that a run reads, but {listing.ignored.described}; {FORM}"
    odd = [name for name in listing.names() if is_odd(name)]
    if odd:
        yield (
            f"{len(odd):,} raw files have names that are not UTF-8 or have invisible characters, such as {min(odd)}:"
            " they are read; name them to commands as they are shown here, and new ones more plainly"
        )


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
