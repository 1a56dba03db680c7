"""When any call of a command on its data folder fails, the command says so and the next run is whole.

A sample here: every command, every kind of call and every fault. `python -m tests.faults.nth_call` makes all attempts.
"""

import random
from pathlib import Path
from typing import Final

import pytest

from tests.faults.host import Host
from tests.faults.nth_call import FAULTS, Case, attempt, cases
from tests.faults.scenarios import SCENARIOS, Stage

SEED: Final = 17
COMMANDS: Final = tuple(name for name in SCENARIOS if name != "forget a workspace")  # as forgetting a user
FAULTS_AT_ONCE: Final = 2  # of a command; the next command has the next ones
KINDS_AT_ONCE: Final = 2

# Faults in this code, and what finds each: a command, and the call and the fault in it.
PLANTS: Final = {
    "swallow_renames": ("second batch", "rename /staging", "EIO"),
    "swallow_syncs": ("second batch", "syncfs ", "EIO"),
    "repeat_syncs": ("second batch", "syncfs ", "EIO"),
    "swallow_commits": ("second batch", "rename /staging", "ENOSPC for good"),
    "append_in_place": ("forget a user", "sync /.tombstones.jsonl", "ENOSPC for good"),
    "lose_the_ledger": ("second batch", "rename /staging", "EIO"),
    "say_nothing": ("second batch", "mkdir /staging", "EROFS for good"),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all scenarios share, so that each folder to begin with is prepared once."""
    return tmp_path_factory.mktemp("scenarios")


def sample(number: int, every: list[Case]) -> list[Case]:
    """Return some attempts for a command, by its number; together, those of all commands have each kind and fault."""
    rng = random.Random(SEED + number)
    faults, kinds = list(FAULTS), sorted({case.kind for case in every})
    chosen = []
    for fault in (faults[(FAULTS_AT_ONCE * number + turn) % len(faults)] for turn in range(FAULTS_AT_ONCE)):
        fitting = [case for case in every if case.fault == fault]
        chosen += [rng.choice(fitting)] if fitting else []
    for kind in (kinds[(KINDS_AT_ONCE * number + turn) % len(kinds)] for turn in range(KINDS_AT_ONCE)):
        chosen.append(rng.choice([case for case in every if case.kind == kind]))
    return chosen


@pytest.mark.parametrize("name", COMMANDS)
def test_a_call_fails(host: Host, root: Path, tmp_path: Path, name: str) -> None:
    """If a call of a command fails, the exit code is right, readers see before or after, and the next run is whole."""
    stage, seen = Stage(name, host, root), set[bytes]()
    for case in sample(COMMANDS.index(name), cases(name, stage.calls)):
        problems = attempt(stage, case, seen, tmp_path / "calls")
        assert not problems, f"python -m tests.faults.nth_call --only '{case}'\n" + "\n".join(problems)


def test_a_new_database(host: Host, root: Path, tmp_path: Path) -> None:
    """A sync that fails while the database is made fails the run, although its statement has returned a row by then."""
    stage = Stage("first load", host, root)
    number = stage.calls.index("sync /state.sqlite") + 1
    assert not attempt(stage, Case("first load", number, "sync", "EIO"), set(), tmp_path / "calls")


def test_every_kind_and_every_fault() -> None:
    """The sample has each fault, and each kind of call that a command with all kinds makes."""
    kinds = (
        "create",
        "map",
        "meta",
        "mkdir",
        "open",
        "rename",
        "rmdir",
        "sync",
        "syncfs",
        "truncate",
        "unlink",
        "write",
    )
    chosen = [case for number, name in enumerate(COMMANDS) for case in sample(number, cases(name, list(kinds)))]
    assert {case.fault for case in chosen} == set(FAULTS)
    assert {case.kind for case in chosen} == set(kinds)


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_found(host: Host, root: Path, tmp_path: Path, plant: str) -> None:
    """Code that ignores a failure, repeats a sync, leaves half a line or a lost ledger is found."""
    name, call, fault = PLANTS[plant]
    stage = Stage(name, host, root)
    numbers = [number for number, made in enumerate(stage.calls, start=1) if made.startswith(call)]
    assert numbers
    kind = call.partition(" ")[0]
    assert any(attempt(stage, Case(name, number, kind, fault), set(), tmp_path / "calls", plant) for number in numbers)
