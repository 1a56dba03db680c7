"""The next run recovers every disk that a crash in a command may leave."""

from typing import Final

import pytest

from pipeline.analysis import database
from tests.faults.crash_states.scenarios import SCENARIOS
from tests.faults.crash_states.search import search
from tests.faults.host import Host
from tests.support.views import build

# More than a thousand disks in all. The long form tries all commands: `python -m tests.faults.crash_states`.
DISKS: Final = 100  # of each command
RECOVERIES: Final = 10  # of these; a run cannot tell the other disks from them
_ONLY_LONG: Final = {
    *("run after a killed run", "run without the state", "run of a file that grew"),
    *("rebuild of a month", "forget a workspace", "views"),
}
_KEYS: Final = {"create a key", "revoke a key"}  # a crash in these leaves few disks


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in _ONLY_LONG])
def test_crash_states(host: Host, name: str) -> None:
    """Readers find whole commits on every disk, and the next run gives the undisturbed tables."""
    found = search(SCENARIOS[name], host, seed=1, disks=DISKS, recoveries=RECOVERIES)
    assert not found.wrong, found.wrong
    assert found.disks == DISKS or name in _KEYS


def test_views(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash that interrupts the refresh of `usage.duckdb` leaves a whole file or none, and the next refresh works."""
    monkeypatch.setattr(database, "build", build)
    found = search(SCENARIOS["views"], host, seed=1, disks=4)
    assert not found.wrong, found.wrong
    assert found.recovered > 1


# What each fault needs: a command that has something to lose. A seed that finds it soon saves time; others find it too.
@pytest.mark.parametrize(
    ("plant", "name", "seed"),
    [
        ("no_sync_before_the_journal", "first run", 1),
        ("no_ledger_rows", "first run", 5),
        ("no_journal", "second run", 2),
        ("manifests_before_tables", "second run", 3),
        ("published_before_manifests", "second run", 3),
        ("no_sync_before_manifests", "second run", 1),
        ("deletes_before_manifests", "second run", 5),
        ("no_sync_of_folders", "create a key", 1),
        ("append_in_place", "forget a user", 2),
    ],
)
def test_planted_fault(host: Host, plant: str, name: str, seed: int) -> None:
    """The same disks reveal a fault that was planted into the command."""
    assert search(SCENARIOS[name], host, seed=seed, disks=DISKS, plant=plant).wrong
