"""The simulation in a short form, and faults planted in the product, which it must find."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pipeline.load import shuffle
from pipeline.storage import compose
from pipeline.storage.state import Entry, State
from pipeline.storage.store import Operation
from pipeline.storage.tombstones import Tombstones, hashed
from service.tables.snapshots import Workspace
from tests.faults import simulate
from tests.faults.simulation.backups import restore_backups
from tests.faults.simulation.records import EVE

SEEDS = 4  # of the short form
BACKUPS = 5
WITHIN = 6  # seeds find every planted fault


@pytest.mark.parametrize("seed", range(SEEDS))
def test_short_form(seed: int) -> None:
    """Whatever happens to a data folder, it holds what the oracle says, before or after a command and in the end."""
    simulate.simulate(seed, histories=1)


def test_backups_of_random_moments() -> None:
    """A backup of any moment is restored by one run."""
    assert restore_backups(BACKUPS, seed=1) == BACKUPS


def lose_a_row(patch: pytest.MonkeyPatch) -> None:
    """Lose the ledger's row of one file in each commit."""
    begin = State.begin

    def losing(state: State, run: str, operations: Any, entries: Iterable[Entry], **more: Any) -> None:
        begin(state, run, operations, list(entries)[1:], **more)

    patch.setattr(State, "begin", losing)


def keep_rows_of_a_lost_commit(patch: pytest.MonkeyPatch) -> None:
    """Keep the ledger's rows of a commit whose staged files are lost."""

    def keeping(state: State, *_: Any, **__: Any) -> None:
        state._database.execute("delete from journal")  # noqa: SLF001

    patch.setattr(State, "discard_commit", keeping)


def publish_manifests_first(patch: pytest.MonkeyPatch) -> None:
    """Rename manifests before the files that they name."""
    original = compose.compose

    def swapped(*arguments: Any) -> list[Operation]:
        return sorted(original(*arguments), key=lambda operation: not operation.final.startswith("manifests/"))

    patch.setattr(compose, "compose", swapped)


def forget_all_but_one(patch: pytest.MonkeyPatch) -> None:
    """Load events of one of the users who are forgotten."""
    of_forgotten = shuffle.of_forgotten

    def forgetting(users: Any, tombstones: Tombstones) -> Any:
        return of_forgotten(users, Tombstones(tombstones.users - {hashed(EVE)}))

    patch.setattr(shuffle, "of_forgotten", forgetting)


def mix_commits(patch: pytest.MonkeyPatch) -> None:
    """Let readers keep what they read of a month, whichever commit it was of."""

    def stale(workspace: Workspace, path: str, read: Callable[..., Any]) -> Any:
        key = path.rpartition("/")[0], read
        return workspace.cached(key, lambda: read(workspace._files.month(path)), lambda block: block.size_bytes)  # noqa: SLF001

    patch.setattr(Workspace, "_block", stale)


# By plant, the first seed that is tried.
PLANTS: dict[Callable[[pytest.MonkeyPatch], None], int] = {
    lose_a_row: 1,
    keep_rows_of_a_lost_commit: 0,
    publish_manifests_first: 0,
    forget_all_but_one: 11,
    mix_commits: 10,
}


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_faults_are_found(monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    """A lost row, a swapped rename, a forgotten tombstone and a mix of commits are found within a few seeds."""
    plant(monkeypatch)
    for seed in range(PLANTS[plant], PLANTS[plant] + WITHIN):
        try:
            simulate.simulate(seed, shrinks=False, histories=1)
        except (AttributeError, NameError, TypeError):  # the plant does not fit the product any more
            raise
        except Exception:  # noqa: BLE001 - whatever the fault led to
            return
    pytest.fail(f"{WITHIN} seeds do not find the planted fault")
