"""A commit on the object store: the flip of the root alone, and all of it, with the shards of the index."""

import time
from itertools import count
from typing import Final

import msgspec
import pytest

from benchmarks.scale.place import Place
from pipeline.contract.layout import StoredFile
from pipeline.contract.object_client import Client
from pipeline.contract.object_names import object_name
from pipeline.contract.tables import Published, actors_path, cube_path, events_path
from pipeline.storage.objects import commit as commits
from pipeline.storage.objects.flip import flip
from pipeline.storage.objects.snapshot import Snapshot

WORKSPACES: Final = 200
_DAYS: Final = [f"2026-11-{day:02}" for day in range(1, 9)]
FILES: Final = WORKSPACES * (len(_DAYS) + 2)  # with cube and actors of the month


class Commit(msgspec.Struct, frozen=True):
    """The milliseconds of one commit, and of the conditional PUT that makes it."""

    flip_ms: float
    whole_ms: float


def commit(place: Place, rounds: int) -> list[Commit]:
    """Commit `FILES` changed objects again and again, whose own PUTs are not part of it."""
    client = Client(place.location())
    numbers = count(1)

    def once() -> Commit:
        run, attempt = f"run{next(numbers)}", commits.new_token()
        changes = commits.RootChanges(
            run=run,
            attempt=attempt,
            published=Published(1, run, None, 1, "2026.6"),
            files={path: StoredFile.of(object_name(path, run, attempt), b"") for path in _paths()},
        )
        taken = 0.0

        def timed(*arguments: object) -> None:
            nonlocal taken
            start = time.perf_counter()
            flip(*arguments)  # type: ignore[arg-type]
            taken = time.perf_counter() - start

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(commits, "flip", timed)
            start = time.perf_counter()
            commits.commit(Snapshot.read(client), changes)
            return Commit(taken * 1000, (time.perf_counter() - start) * 1000)

    once()  # the first one replaces nothing
    return [once() for _ in range(rounds)]


def _paths() -> list[str]:
    found = []
    for number in range(WORKSPACES):
        workspace = f"{number:08x}-0000-4000-8000-000000000000"
        found += [events_path(workspace, day) for day in _DAYS]
        found += [cube_path(workspace, "2026-11", "run"), actors_path(workspace, "2026-11", "run")]
    return found
