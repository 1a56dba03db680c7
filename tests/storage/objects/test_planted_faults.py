"""Faults planted into commit and sweep, each of which the model must find: tests of the test."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from pipeline.contract.layout import LayoutError, Root
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import OvertakenError
from pipeline.contract.object_names import ROOT
from pipeline.storage.objects import commit as commit_module
from pipeline.storage.objects import flip as flip_module
from pipeline.storage.objects import sweep as sweep_module
from pipeline.storage.objects.commit import RootChanges
from pipeline.storage.objects.snapshot import Snapshot
from tests.support.object_machine import Store
from tests.support.object_runs import SECOND


def no_condition(patch: pytest.MonkeyPatch) -> None:
    """Flip the root whatever it is by now."""
    replace = Client.replace

    def replacing(client: Client, key: str, content: bytes, _: str | None) -> str:
        current = client.head(key)
        return replace(client, key, content, None if current is None else current.etag)

    patch.setattr(Client, "replace", replacing)


def no_grace(patch: pytest.MonkeyPatch) -> None:
    """Sweep what was superseded without the grace."""
    sweep = sweep_module.sweep
    patch.setattr(sweep_module, "sweep", lambda snapshot, now, grace=0: sweep(snapshot, now, grace * 0))


def forget_recent_runs(patch: pytest.MonkeyPatch) -> None:
    """Keep no recent runs in the root: a run that lost the answer to its flip does not find itself in a later root."""
    patch.setattr(flip_module, "decode_root", lambda content: _without(content, recent=()))


def take_any_root_for_the_own(patch: pytest.MonkeyPatch) -> None:
    """Take a root that changed for the one that was put, whoever put it."""

    def is_committed(client: Client, _: Root, etag: str | None) -> bool:
        found = client.head(ROOT)
        return found is not None and found.etag != etag

    patch.setattr(flip_module, "_is_committed", is_committed)


def superseded_by_the_own_clock(patch: pytest.MonkeyPatch) -> None:
    """Count the grace from when a root is composed: its flip may come much later."""
    read = Snapshot.read

    def reading(client: Client) -> Snapshot:
        snapshot = read(client)
        return Snapshot(client, snapshot.root, snapshot.etag, snapshot.stored - 2_000 * SECOND)

    patch.setattr(Snapshot, "read", reading)


def orphans_of_runs_at_work(patch: pytest.MonkeyPatch) -> None:
    """Take everything for an orphan that no root names, however new it is."""
    sweep = sweep_module.sweep_orphans

    def sweeping(snapshot: Snapshot, now: int, age: int = 0) -> int:
        later = Snapshot(snapshot.client, snapshot.root, snapshot.etag, now + SECOND)
        return sweep(later, now + SECOND, age * 0)

    patch.setattr(sweep_module, "sweep_orphans", sweeping)


def no_ledger(patch: pytest.MonkeyPatch) -> None:
    """Publish tables without the ledger of what they were made from."""
    patch.setattr(commit_module._Draft, "change_ledger", lambda _: None)  # noqa: SLF001


def flip_before_the_shards(patch: pytest.MonkeyPatch) -> None:
    """Flip the root before the shards that it names are written."""
    write, flip = commit_module._Draft.write, flip_module.flip  # noqa: SLF001
    drafts: list[Any] = []
    patch.setattr(commit_module._Draft, "write", lambda draft: drafts.append(draft))  # noqa: SLF001, PLW0108 - bound

    def flipping(*arguments: Any) -> None:
        flip(*arguments)
        write(drafts.pop())

    patch.setattr(commit_module, "flip", flipping)


def begin_again_in_the_flip(patch: pytest.MonkeyPatch) -> None:
    """Put the same root once more, in place of the one that another run has flipped meanwhile."""
    flip = flip_module.flip

    def flipping(client: Client, root: Root, etag: str | None) -> None:
        try:
            flip(client, root, etag)
        except OvertakenError:
            found = client.head(ROOT)
            flip(client, root, None if found is None else found.etag)

    patch.setattr(commit_module, "flip", flipping)


def lose_superseded_objects_of_others(patch: pytest.MonkeyPatch) -> None:
    """Keep only this commit's list of superseded objects, and sweep the others' at once."""
    commit = commit_module.commit

    def committing(before: Snapshot, changes: RootChanges) -> None:
        swept = set()
        for file, _ in before.superseded():
            before.client.delete(before.superseded_keys(file))
            swept.add(file.name)
        commit(before, msgspec.structs.replace(changes, swept=swept))

    patch.setattr("tests.support.object_runs.commit", committing)


# Each with a seed that finds it soon; other seeds find it later.
PLANTS = [
    (no_condition, 2),
    (no_grace, 10),
    (forget_recent_runs, 2),
    (take_any_root_for_the_own, 1),
    (superseded_by_the_own_clock, 10),
    (orphans_of_runs_at_work, 9),
    (no_ledger, 1),
    (flip_before_the_shards, 1),
    (begin_again_in_the_flip, 1),
    (lose_superseded_objects_of_others, 1),
]


@pytest.mark.usefixtures("in_order")
@pytest.mark.parametrize(("plant", "number"), PLANTS, ids=[plant.__name__ for plant, _ in PLANTS])
def test_planted_faults_are_found(
    plant: Callable[[pytest.MonkeyPatch], None], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model finds each fault that is planted into the code."""
    plant(monkeypatch)
    quick = settings(max_examples=2_000, stateful_step_count=12, database=None, phases=[Phase.generate])
    with pytest.raises((AssertionError, LayoutError)):
        run_state_machine_as_test(seed(number)(type("Store", (Store,), {})), settings=quick)


def _without(content: bytes, **fields: object) -> Root:
    return msgspec.structs.replace(msgspec.json.decode(content, type=Root), **fields)
