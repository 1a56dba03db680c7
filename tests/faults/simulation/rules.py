"""What may happen in the simulation: the steps of producers, operators, readers and time, in any order."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from pipeline.contract.calendar import DAY_US, rfc3339
from pipeline.erasure.erase import erase
from pipeline.load.discovery import Retry
from pipeline.load.rebuild import Rebuild
from pipeline.run import run
from pipeline.storage.tombstones import Tombstone, hashed
from tests.faults.simulation.clients import ZONES, Question
from tests.faults.simulation.erasing import Tombstones, day_of
from tests.faults.simulation.faults import NONE, Fault
from tests.faults.simulation.machine import Steps
from tests.faults.simulation.model import Outcome, World
from tests.faults.simulation.raw_files import Raw, scan
from tests.faults.simulation.records import LINES, USERS, WORKSPACES, packed
from tests.faults.simulation.upkeep import FAULT, Upkeep

NAMES: Final = ("a.jsonl", "b.jsonl", "c.ndjson", "d.jsonl.gz", "e.jsonl.zst")
NAME = st.sampled_from(NAMES)
FILES = st.lists(st.tuples(NAME, LINES), min_size=1, max_size=3)
PLAIN = st.sampled_from(NAMES[:3])
QUESTION = st.builds(
    Question,
    st.sampled_from(["summary", "by-language", "activity"]),
    st.sampled_from(ZONES),
    st.sampled_from(["30d", "90d"]),
    st.sampled_from(["daily", "monthly"]),
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(0, 2),
)


class Simulation(Upkeep):
    """One data folder, and what may happen to it."""

    # Producers

    @rule(name=NAME, lines=LINES, kept=st.sampled_from([1.0, 1.0, 0.7]), newline=st.booleans(), in_place=st.booleans())
    def deliver(self, name: str, lines: list[bytes], kept: float, newline: bool, in_place: bool) -> None:
        """Write a file, perhaps over one of the same name, perhaps without its end."""
        content = packed(name, b"\n".join(lines) + b"\n" * newline, kept)
        path = self.root / "raw" / name
        if not in_place or path.is_symlink():
            path.unlink(missing_ok=True)
        self._write(path, content)

    @rule(name=PLAIN, lines=LINES, left=st.sampled_from([0, 0, 1, 30]))
    def append(self, name: str, lines: list[bytes], left: int) -> None:
        """Append lines to a file, of which some bytes at the end are late for ever."""
        path = self.root / "raw" / name
        before = path.read_bytes() if path.exists() else b""
        content = b"\n".join(lines) + b"\n"
        self._write(path, before + content[: len(content) - left])

    @rule(name=NAME, kept=st.sampled_from([0.0, 0.5, 0.9]))
    def truncate(self, name: str, kept: float) -> None:
        """Cut a file off."""
        path = self.root / "raw" / name
        if path.exists() and not name.endswith(".zst"):
            self._write(path, path.read_bytes()[: round(path.stat().st_size * kept)])

    @rule(name=NAME, dangling=st.booleans())
    def remove(self, name: str, dangling: bool) -> None:
        """Delete a file, or put a link that leads nowhere in its place."""
        path = self.root / "raw" / name
        path.unlink(missing_ok=True)
        if dangling:
            path.symlink_to("nowhere")

    def _write(self, path: Path, content: bytes) -> None:
        if path.is_symlink():
            path.unlink()
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(content)
            file.truncate()
        self._stamp += 1
        os.utime(path, ns=(0, (1_700_000_000_000 + self._stamp) * 1_000_000))

    # Operators

    @rule(fault=FAULT, small=st.booleans())
    def run(self, fault: Fault, small: bool) -> None:
        """Run the pipeline."""
        self.load(fault, small=small)

    @rule(files=FILES, fault=FAULT, small=st.booleans())
    def deliver_and_run(self, files: list[tuple[str, list[bytes]]], fault: Fault, small: bool) -> None:
        """Write some files, and run the pipeline."""
        self._deliver(files)
        self.load(fault, small=small)

    def _deliver(self, files: list[tuple[str, list[bytes]]]) -> None:
        for name, lines in files:
            self._write(self.root / "raw" / name, packed(name, b"\n".join(lines) + b"\n", 1.0))

    @rule(files=FILES, question=QUESTION, cold=st.booleans())
    def deliver_and_run_while_clients_ask(
        self, files: list[tuple[str, list[bytes]]], question: Question, cold: bool
    ) -> None:
        """Write some files, run, and let a client ask before each operation of the commits, perhaps a new worker."""
        self._deliver(files)

        def visits(worlds: list[World]) -> Callable[[int, str], None]:
            def visit(_: int, operation: str) -> None:
                if operation in {"apply", "end"}:
                    if cold:
                        self.clients.replace(question.worker)
                    self.clients.ask(question, worlds, is_settled=False)

            return visit

        self.load(Fault("visit"), visits if self.may_ask else None)

    @rule(since=st.sampled_from(["", "2026-11"]), only=st.booleans(), accept_loss=st.booleans(), fault=FAULT)
    def rebuild(self, since: str, only: bool, accept_loss: bool, fault: Fault) -> None:
        """Rebuild everything, or a workspace, or some months."""
        workspaces = frozenset(WORKSPACES[:1]) if only else frozenset()
        wanted = Rebuild(workspaces, since, accept_loss)

        def steps(world: World, raw: Raw, failing: str) -> Steps:
            return world.rebuild(raw, self.now, failing, workspaces, since, accept_loss=accept_loss)

        self.command(lambda: run(self.settings, self.now, rebuild=wanted), steps, fault, reads=wanted.everything)

    @rule(reason=st.sampled_from([None, "timestamp_out_of_range", "missing_field"]), fault=FAULT)
    def retry(self, reason: str | None, fault: Fault) -> None:
        """Validate rejected lines again."""
        self.command(
            lambda: run(self.settings, self.now, retry=Retry(reason)),
            lambda world, _, __: world.retry(self.now, reason),
            fault,
        )

    @rule(user=st.integers(0, len(USERS)), fault=FAULT)
    def forget(self, user: int, fault: Fault) -> None:
        """Forget a user, or the second workspace."""
        if user == len(USERS):
            stone = Tombstone("workspace", rfc3339(self.now), sha256=hashed(WORKSPACES[1]))
            self._erase(stone, Tombstones(workspaces=frozenset(WORKSPACES[1:])), fault)
        else:
            stone = Tombstone("user", rfc3339(self.now), sha256=hashed(USERS[user]))
            self._erase(stone, Tombstones(users=frozenset([USERS[user]])), fault)

    @rule(days=st.sampled_from([1, 2, 10, 24, 60]), fault=FAULT)
    def retention(self, days: int, fault: Fault) -> None:
        """Erase the days before the last ones."""
        floor = day_of(self.now - (days - 1) * DAY_US)
        self._erase(Tombstone("floor", rfc3339(self.now), day=floor), Tombstones(floor=floor), fault)

    def _erase(self, stone: Tombstone, more: Tombstones, fault: Fault) -> None:
        def steps(world: World, _: Raw, __: str) -> Steps:
            begun = replace(world, tombstones=world.erased(more).tombstones)
            return [world, begun, world.erased(more)], Outcome()

        self.command(lambda: erase(self.settings, self.now, [stone], dry=False), steps, fault)

    @rule(name=NAME)
    def accept(self, name: str) -> None:
        """Accept a file that breaks off, and run."""
        raw = scan(self.root / "raw")
        if all(
            name in world.waiting(raw) and (raw[name].content is None or name not in world.unread(raw))
            for world in self.worlds
        ):

            def steps(world: World, raw: Raw, _: str) -> Steps:
                taken = replace(world, accepted={**world.accepted, name: raw[name].identity})
                return taken.run(raw, self.now)

            self.command(lambda: run(self.settings, self.now, accept=[name]), steps, NONE, reads=True)

    # Readers

    @rule(question=QUESTION)
    def ask_as_a_client(self, question: Question) -> None:
        """Let a client ask."""
        self.ask(question)
