"""The months that a discarded commit was about to change are remembered until they are repaired."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from pipeline.storage.commit import recover
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import Counts, Entry, State
from pipeline.storage.store import Operation

RUN = f"01KB{'A' * 22}"
FINALS = (
    "events/workspace_id=w/day=2026-11-24/events.parquet",
    "events/workspace_id=w/day=2026-11-25/events.parquet",
    "cube/workspace_id=w/month=2026-11/x.parquet",
    "actors/workspace_id=w/month=2026-10/x.parquet",
    "cube/workspace_id=v/month=2026-12/x.parquet",
    "manifests/w.json",
    "quarantine/month=2025-01.parquet",
    "runs/2024-11-24.jsonl",
)
MONTHS = [("v", "2026-12"), ("w", "2026-10"), ("w", "2026-11")]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Return an empty data folder."""
    return FolderStore(tmp_path)


@pytest.fixture
def state(store: FolderStore) -> Iterator[State]:
    """Return the state of the data folder."""
    state = State(store.path("state.sqlite"))
    yield state
    state.close()


def lose(store: FolderStore, state: State, finals: tuple[str, ...] = FINALS) -> None:
    """Begin a commit that replaces a file and deletes others, lose what it staged, and recover."""
    operations = [store.stage("staging/x", finals[0], b"x"), Operation("sync")]
    operations += [Operation("delete", final) for final in finals[1:]]
    state.begin(RUN, operations, [], rebuilt=False, complete=False)
    store.clear("staging")
    recover(store, state)


def test_remembered_until_mended(store: FolderStore, state: State) -> None:
    """The workspaces and months of all tables are remembered, each once, until they are whole again."""
    assert state.torn_months() == []
    lose(store, state)
    assert state.torn_months() == MONTHS
    lose(store, state, finals=FINALS[:3])
    assert state.torn_months() == MONTHS
    state.begin(RUN, [], [], rebuilt=False, complete=True)
    assert state.torn_months() == MONTHS
    state.mended()
    assert state.torn_months() == []


def test_rebuilt(store: FolderStore, state: State) -> None:
    """A commit that rebuilds everything repairs all months, if it is recorded to its end."""
    lose(store, state)

    def broken() -> Iterator[Entry]:
        yield Entry("a.jsonl", 1, 2, 3, RUN, Counts(), Counts())
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - raised above
        state.begin(RUN, [], broken(), rebuilt=True, complete=True)
    assert state.torn_months() == MONTHS
    state.begin(RUN, [], [], rebuilt=True, complete=True)
    assert state.torn_months() == []


def test_finished(store: FolderStore, state: State) -> None:
    """A commit that recovery finishes leaves no month to repair."""
    numbers = count()
    operations = [store.stage(f"staging/{next(numbers)}", final, RUN.encode()) for final in FINALS]
    state.begin(RUN, operations, [], rebuilt=False, complete=False)
    recover(store, state)
    assert state.torn_months() == []
