"""What may happen around the commands of the simulation: time, losses, zone data, directory, keys, and backups."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from pipeline import keys
from pipeline.contract.calendar import DAY_US, rfc3339
from tests.faults.simulation.clients import ZONES, account_of, token_of
from tests.faults.simulation.faults import NONE, Fault
from tests.faults.simulation.machine import TRIED, Machine, Steps, distinct
from tests.faults.simulation.model import Outcome, World
from tests.faults.simulation.raw_files import Raw
from tests.faults.simulation.records import USERS, WORKSPACES

_DISTURBED = st.builds(
    Fault,
    st.sampled_from(["kill before", "kill after", "power cut", "full disk", "unreadable file"]),
    st.integers(1, 30) | st.integers(1, 13),
    st.integers(0, 1000),
)
FAULT = st.just(NONE) | _DISTURBED | _DISTURBED


@dataclass(frozen=True)
class Backup:
    """A copy of a data folder, and what it may hold."""

    folder: Path
    worlds: list[World]
    is_settled: bool
    is_torn: bool
    product: tuple[Any, ...]


class Upkeep(Machine):
    """One data folder, and what may happen around commands."""

    def __init__(self) -> None:
        super().__init__()
        self._stamp = 0  # makes the times of raw files and the ids of keys differ
        self._backups: list[Backup] = []

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        """Let the ids of runs follow from the seed."""
        self.operations.begin(seed)

    @rule(days=st.sampled_from([-1, 1, 1]), hours=st.sampled_from([0, 0, 5]))
    def set_clock(self, days: int, hours: int) -> None:
        """Move the clock. It is frozen otherwise."""
        self.now += days * DAY_US + hours * DAY_US // 24

    @rule(version=st.sampled_from(["2099.1", "2099.2"]), file=st.sampled_from(["Asia/Tokyo", ZONES[1]]))
    def replace_zone_data(self, version: str, file: str) -> None:
        """Adopt another release of the zone data, which may change a zone, and run."""
        self.adopt_zone_data(version, {ZONES[1]: file})

    @rule()
    def lose_state(self) -> None:
        """Lose the ledger, which is harmless between commits."""
        if self.is_settled:
            for path in self.root.glob("state.sqlite*"):
                path.unlink()
            self.worlds = distinct(
                replace(world, ledger={}, accepted={}, discarded=frozenset()) for world in self.worlds
            )

    @rule()
    def lose_staging(self) -> None:
        """Lose what commands have staged, which the next run makes again."""
        shutil.rmtree(self.root / "staging", ignore_errors=True)
        if not self.is_settled:
            self.is_torn = True
            self.worlds = distinct(
                torn for world in self.worlds for before in self.worlds for torn in world.after_power_cut(before)
            )

    @rule(user=st.integers(0, 2), plan=st.integers(0, 3), active=st.booleans(), revoked=st.booleans())
    def change_directory(self, user: int, plan: int, active: bool, revoked: bool) -> None:
        """Export another plan and another status of a user, and a key of theirs that is revoked or not."""
        self.product.accounts[USERS[user]] = account_of(USERS[user], plan)
        self.product.members[WORKSPACES[0], USERS[user]] = "active" if active else "removed"
        (self.product.revoked.add if revoked else self.product.revoked.discard)(token_of(user))
        self.product.export()

    @rule(user=st.integers(0, 2), fault=FAULT)
    def create_key(self, user: int, fault: Fault) -> None:
        """Create a key in the second workspace, whose members are all active."""
        stones = [world.tombstones for world in self.worlds]
        if not any(USERS[user] in found.users or WORKSPACES[1] in found.workspaces for found in stones):
            self._stamp += 1
            key = f"local {self._stamp}"

            def steps(world: World, _: Raw, __: str) -> Steps:
                made = replace(world, keys={**world.keys, key: (WORKSPACES[1], USERS[user], False)})
                return [world, made], Outcome()

            create: Callable[[], Any] = lambda: keys.create(  # noqa: E731
                self.root / "directory", key_id=key, workspace_id=WORKSPACES[1], user_id=USERS[user]
            )
            self.command(create, steps, fault, commits=False)

    @rule(number=st.integers(0, 3), fault=FAULT)
    def revoke_key(self, number: int, fault: Fault) -> None:
        """Revoke a key that was made here, if it is certain that there are some."""
        names = sorted(frozenset.intersection(*(frozenset(world.keys) for world in self.worlds)))
        if names:
            name = names[number % len(names)]

            def steps(world: World, _: Raw, __: str) -> Steps:
                workspace, user, _revoked = world.keys[name]
                return [world, replace(world, keys={**world.keys, name: (workspace, user, True)})], Outcome()

            self.command(
                lambda: keys.revoke(self.root / "directory", name, rfc3339(self.now)), steps, fault, commits=False
            )

    @rule(kind=st.sampled_from(["sources", "everything"]), at=st.integers(0, 20))
    def back_up(self, kind: str, at: int) -> None:
        """Back up between commands, or before an operation of a run: then everything is a snapshot of the disk."""
        if at == 0:
            self._backups.append(self._backup(kind, self.worlds))
            return

        def visits(worlds: list[World]) -> Callable[[int, str], None]:
            return lambda number, _: self._backups.append(self._backup(kind, worlds)) if number == at else None

        self.load(Fault("visit"), visits)

    def _backup(self, kind: str, worlds: list[World]) -> "Backup":
        self._stamp += 1
        folder = self.home / f"backup {self._stamp}"
        for path in sorted(self.root.iterdir(), key=lambda path: path.name != "raw"):
            if kind == "sources" and path.name not in {"raw", "directory", "tombstones.jsonl"}:
                continue
            folder.mkdir(exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, folder / path.name, symlinks=True)
            else:
                shutil.copy2(path, folder)
        if kind == "sources":
            worlds = distinct(World(tombstones=world.tombstones, keys=world.keys) for world in worlds)
        settled = kind == "sources" or (self.is_settled and worlds is self.worlds)
        return Backup(folder, worlds, settled, self.is_torn and kind != "sources", self.product.copied())

    @property
    def last_backup(self) -> int:
        """Return the number of the last backup; -1 if there is none."""
        return len(self._backups) - 1

    @rule(number=st.integers(0, 5), newer=st.booleans())
    def restore(self, number: int, newer: bool) -> None:
        """Restore a backup, with the raw files that are newer or without."""
        if not self._backups:
            return
        TRIED["restores"] += 1
        backup = self._backups[number % len(self._backups)]
        self.root.rename(self.home / "before")
        shutil.copytree(backup.folder, self.root, symlinks=True)
        for path in (self.home / "before/raw").iterdir() if newer else ():
            into = self.root / "raw" / path.name
            if path.is_symlink() or into.is_symlink():
                into.unlink(missing_ok=True)
            shutil.copy2(path, into, follow_symlinks=False)
        shutil.rmtree(self.home / "before")
        self.worlds, self.is_settled, self.is_torn = backup.worlds, backup.is_settled, backup.is_torn
        self.may_ask = not self.is_torn
        self.product.restore(*backup.product)
        self.clients.restart()
