"""Data folders with a history: runs, erasures, retries, rebuilds, and commits that stop anywhere; a seed repeats one.

After each step, exactly the published files must have a digest, and each must be that of the file.
"""

import random
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from pipeline.contract.calendar import DAY_US, rfc3339
from pipeline.load.discovery import Retry
from pipeline.load.rebuild import Rebuild
from pipeline.run import run
from pipeline.storage import catalog, digests
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from pipeline.storage.tombstones import TOMBSTONES
from tests.support.batches import OTHER
from tests.support.command import done, interrupt_commit, usage
from tests.support.data_folder import WORKSPACE, DataFolder, record

USERS: Final = [f"c0000000-0000-4000-8000-00000000000{number}" for number in range(4)]


class Missed(AssertionError):  # noqa: N818 - what a seed found, not what went wrong here
    """Raised when damage was not found, or something was said to be damaged that is not."""


def grown(root: Path, seed: int, steps: int = 8) -> DataFolder:
    """Return a new folder with a history; after each step exactly the published files must have a digest."""
    rng = random.Random(seed)
    folder = DataFolder(root)
    _drop(folder, rng, "0.jsonl")
    folder.run()
    for number in range(1, steps):
        step = rng.choice(_STEPS)
        step(folder, rng, f"{number}.jsonl")
        folder.run()
        differing = differences(folder)
        if differing:
            raise Missed(f"after {step.__name__}: {differing}")
    _drop(folder, rng, "last.jsonl")
    folder.run()
    return folder


def differences(folder: DataFolder) -> list[str]:
    """Return the published files without the right digest, and the digests without a file."""
    store = FolderStore(folder.root)
    with closing(State(folder.root / "state.sqlite")) as state:
        recorded = state.digests()
    names = [*catalog.published(store), *(name for name in [TOMBSTONES] if store.exists(name))]
    files = {uri: digests.of_file(store.path(uri)) for uri in names}
    return sorted(uri for uri in files.keys() | recorded.keys() if files.get(uri) != recorded.get(uri))


def _drop(folder: DataFolder, rng: random.Random, name: str) -> None:
    """Add a raw file: days of three months, two workspaces, newer versions and bad lines."""
    folder.drop(
        name,
        [
            record(
                f"e{rng.randrange(40)}",
                workspace_id=rng.choice([WORKSPACE, OTHER]),
                timestamp=f"2026-{rng.choice(['09', '10', '11'])}-{rng.randrange(1, 4):02}T00:00:00Z",
                recorded_at=f"2026-11-24T10:00:{rng.randrange(60):02}Z",
                user={"id": rng.choice(USERS), "name": "Ada"},
                metadata={"note": rng.randbytes(rng.choice([3, 300])).hex()},
                usage={"credits": rng.randrange(100), "languages": [{"locale": "de", "characters": 5}]},
            )
            for _ in range(rng.randrange(1, 12))
        ]
        + [{"id": "bad", "n": rng.random()}] * rng.randrange(3)
        + [record("early", timestamp=rfc3339(folder.now + 2 * DAY_US))] * rng.randrange(2),
    )


def _grow(folder: DataFolder, rng: random.Random, name: str) -> None:
    """Append lines to the first raw file."""
    _drop(folder, rng, name)
    with (folder.root / "raw/0.jsonl").open("ab") as file:
        file.write((folder.root / "raw" / name).read_bytes())


def _stop(folder: DataFolder, rng: random.Random, name: str) -> None:
    """Stop a commit after some operations, so that the next run finishes it."""
    _drop(folder, rng, name)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_commit(folder, patch, rng.randrange(5))


def _lose(folder: DataFolder, rng: random.Random, name: str) -> None:
    """Stop a commit after some operations, and lose its staged files."""
    _stop(folder, rng, name)
    shutil.rmtree(folder.root / "staging", ignore_errors=True)  # absent if the run had nothing to commit


def _forget(folder: DataFolder, rng: random.Random, _: str) -> None:
    """Forget a user."""
    done(usage(folder, "forget", "--apply", "--user", rng.choice(USERS[1:])))


def _expire(folder: DataFolder, rng: random.Random, _: str) -> None:
    """Let days expire."""
    done(usage(folder, "retention", "--apply", "--keep", f"{rng.choice([83, 54])}d"))


def _retry(folder: DataFolder, _: random.Random, __: str) -> None:
    """Validate rejected lines again, three days later."""
    folder.now += 3 * DAY_US  # for good: a rebuild before that would reject these lines again
    run(folder.settings, folder.now, retry=Retry())


def _rebuild(folder: DataFolder, rng: random.Random, _: str) -> None:
    """Rebuild some months, or everything."""
    months = rng.choice([("", ""), ("2026-10", "2026-10"), ("2026-10", ""), ("", "2026-09")])
    run(folder.settings, folder.now, rebuild=Rebuild(frozenset(), months[0], until=months[1]))


def _lose_state(folder: DataFolder, rng: random.Random, name: str) -> None:
    """Lose the state, so that the digests are unknown."""
    for path in folder.root.glob("state.sqlite*"):
        path.unlink()
    _drop(folder, rng, name)


_STEPS: Final[list[Callable[[DataFolder, random.Random, str], None]]] = [
    _drop,
    _grow,
    _stop,
    _lose,
    _forget,
    _expire,
    _retry,
    _rebuild,
    _lose_state,
]
