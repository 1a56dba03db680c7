"""The simulated data folder: carries out commands, disturbed or not, and compares what they leave with the model.

Safety: after each command the data folder holds what a world of the model says. A disturbed command leaves several
worlds, one for each of its commits. The next command that is not disturbed must agree with one of them in everything,
or after a power cut, which may tear a commit, with some world in each partition. Liveness: at the end faults cease, and
one run reaches the undisturbed tables.
"""

import hashlib
import logging
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import structlog
from hypothesis.stateful import RuleBasedStateMachine

from pipeline.check.check import check
from pipeline.contract import calendar
from pipeline.contract.formats import instant
from pipeline.contract.settings import Settings
from pipeline.contract.zones import PINNED
from pipeline.load import publish
from pipeline.load.job import DEFAULT_LIMITS, Limits
from pipeline.load.rebuild import RawGoneError
from pipeline.load.results import RunReport
from pipeline.run import run
from pipeline.storage.engine import EngineError
from tests.faults.simulation import tables
from tests.faults.simulation.clients import ZONES, Clients, Product, Question
from tests.faults.simulation.faults import NONE, Fault, Killed, Operations, broken_file
from tests.faults.simulation.model import Counts, Outcome, World
from tests.faults.simulation.raw_files import Raw, scan
from tests.faults.simulation.records import NOW, WORKSPACES

Steps = tuple[list[World], Outcome]
Visits = Callable[[list[World]], Callable[[int, str], None]]

# Every file is a commit of its own, is read in splits, and its rows go to several buckets.
SMALL: Final = Limits(
    slice_bytes=1, split_bytes=500, batch_bytes=700, bucket_bytes=600, chunk_bytes=300, stored_bytes=1, batches=9
)
TRIED: Final[Counter[str]] = Counter()  # what all machines of this process did
STATES: Final[set[bytes]] = set()  # hashes of what the data folder held after a command that was compared
# One of them is asked after each comparison.
_QUESTIONS: Final = [
    Question(path, zone, "90d", "monthly", worker, workspace)
    for path in ("summary", "activity", "by-language")
    for zone, worker in zip(ZONES, (0, 1, 1), strict=True)
    for workspace in range(len(WORKSPACES))
]
_MEMORY: Final = Path("/dev/shm")


class Machine(RuleBasedStateMachine):
    """One data folder and the worlds that it may be."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self.home = Path(tempfile.mkdtemp(prefix="simulation-", dir=_MEMORY if _MEMORY.is_dir() else None))
        self.root = self.home / "data"
        (self.root / "raw").mkdir(parents=True)
        self.now = instant(NOW)
        self.worlds = [World()]
        self.is_settled = True  # whether no commit is under way
        self.is_torn = False  # whether a power cut tore a commit, and no run has read everything since
        self.may_ask = True  # whether every workspace is of one commit
        self.settings = Settings.read({}, data_dir=self.root, workers=1)
        self.product = Product(self.root)
        self.clients = Clients(self.root, lambda: self.now, self.product)
        self.operations = Operations(self._patch)
        self._is_well, self._compared = True, 0
        self._logging = structlog.get_config()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        TRIED["machines"] += 1

    def teardown(self) -> None:
        """Let the faults end: one run reaches the undisturbed tables. Then clean up."""
        try:
            if self._is_well:
                self.end_of_faults()
        finally:
            self.clients.close()
            self._patch.undo()
            _forget_zones()
            structlog.configure(**self._logging)
            shutil.rmtree(self.home)

    def end_of_faults(self) -> None:
        """Assert that one run makes everything whole, that the check agrees, and that nothing is left to read."""
        self.command(
            lambda: run(self.settings, self.now), lambda world, raw, _: world.run(raw, self.now), NONE, reads=True
        )
        assert not self.is_torn
        self.agrees()
        for path in ("summary", "by-language", "activity"):
            for workspace in range(len(WORKSPACES)):
                self.ask(Question(path, range_="90d", view="monthly", worker=workspace, workspace=workspace, user=2))
        assert run(self.settings, self.now).files == 0
        assert not list(self.root.glob("staging/*"))
        self.clients.agree()

    def agrees(self) -> None:
        """Assert that `usage check` finds nothing."""
        report = check(self.settings, self.now)
        assert report.agrees, {name: result.first for name, result in report.results().items() if result.wrong}

    def adopt_zone_data(self, version: str, files: dict[str, str]) -> None:
        """Replace the release of the zone data, in which some zones have the files of others."""
        self.clients.zone_files = files
        self._patch.setattr(publish, "zone_data_version", lambda: version)
        self._patch.setattr(calendar, "_zone", lambda name: PINNED.zone(str(files.get(name, name))))
        _forget_zones()
        self.clients.restart()
        self.load()
        assert f'"zone_data":"{version}"' in (self.root / "published.json").read_text()

    def load(self, fault: Fault = NONE, visits: Visits | None = None, *, small: bool = False) -> None:
        """Run the pipeline."""
        self.command(
            lambda: run(self.settings, self.now, limits=SMALL if small else DEFAULT_LIMITS),
            lambda world, raw, failing: world.run(raw, self.now, failing, sliced=small),
            fault,
            visits,
            reads=True,
        )

    def ask(self, question: Question) -> None:
        """Let a client ask a question, unless a power cut and commands after it left workspaces in parts."""
        if self.may_ask:
            self._is_well = False
            self.clients.ask(question, self.worlds, is_settled=self.is_settled)
            self._is_well = True
            TRIED["questions"] += 1

    def command(
        self,
        call: Callable[[], Any],
        steps: Callable[[World, Raw, str], Steps],
        fault: Fault,
        visits: Visits | None = None,
        *,
        reads: bool = False,
        commits: bool = True,
    ) -> None:
        """Carry out a command, and compare.

        Args:
            call: carries it out.
            steps: returns the worlds that follow from a world, and how the command ends; takes the raw files and the
                name of one that the disk cannot read.
            fault: what happens to it.
            visits: returns what happens before each operation, given all worlds.
            reads: whether it reads all raw files that are not read.
            commits: whether it finishes a commit that was under way.
        """
        self._is_well = False
        raw = scan(self.root / "raw")
        failing = broken_file(self.root, fault.choice) if fault.kind == "unreadable file" else ""
        planned = [(world, *steps(world, raw, failing)) for world in self.worlds]
        passed = distinct(world for _, worlds, _ in planned for world in worlds)
        visit = visits(passed) if visits else lambda _, __: None
        TRIED["commands"] += 1
        try:
            with self.operations.disturbed(fault, self.root, visit):
                outcome = _outcome(call())
        except Killed:
            TRIED[fault.kind] += 1
            if fault.kind == "power cut":
                self.is_torn = True
                self.clients.restart()
                passed = distinct(
                    torn for before, worlds, _ in planned for world in worlds for torn in world.after_power_cut(before)
                )
            self.worlds, self.is_settled = passed, self.is_settled and not commits
        except (OSError, sqlite3.OperationalError, EngineError):
            if fault.kind != "full disk":
                raise
            TRIED[fault.kind] += 1
            self.worlds, self.is_settled = passed, self.is_settled and not commits
        except RawGoneError as error:
            self._ended(planned, Outcome(type(error).__name__), reads=False, commits=commits)
        else:
            self._ended(planned, outcome, reads=reads, commits=commits)
        self._is_well = True

    def _ended(
        self, planned: list[tuple[World, list[World], Outcome]], found: Outcome, *, reads: bool, commits: bool
    ) -> None:
        """Compare a command that came to its end with the worlds in which it ends so."""
        left = distinct(
            worlds[-1]
            for _, worlds, outcome in planned
            if (outcome.error == found.error if self.is_torn else outcome == found)
        )
        assert left, f"{found}, but by the model {[outcome for *_, outcome in planned]}"
        self.worlds = left
        if not commits:
            return
        self.is_settled = True
        holds = tables.observed(self.root)
        STATES.add(hashlib.sha256(repr(sorted(holds.items(), key=repr)).encode()).digest())
        TRIED["comparisons"] += 1
        if self.is_torn:
            self.may_ask = False
            wrong = tables.differences(holds, [tables.expected(world) for world in left], ignored=("cube", "actors"))
            assert not wrong, wrong
            if not reads:
                return
            self.worlds = [replace(world, **tables.common(holds, left)) for world in left]
            self.is_torn, self.may_ask = False, True
            self.agrees()
        parts = [tables.expected(world) for world in self.worlds]
        agreeing = [world for world, expected in zip(self.worlds, parts, strict=True) if expected == holds]
        assert agreeing, [tables.differences(holds, [expected]) for expected in parts]
        self.worlds = distinct(agreeing)
        self._compared += 1
        self.clients.ask(_QUESTIONS[self._compared % len(_QUESTIONS)], self.worlds, is_settled=True)


def distinct(worlds: Iterable[World]) -> list[World]:
    """Return the worlds without repetitions."""
    found: list[World] = []
    for world in worlds:
        if world not in found:
            found.append(world)
    return found


def _forget_zones() -> None:
    """Empty the caches of the calendar."""
    for cached in (calendar._day_start, calendar._today, calendar.range_days, calendar.view_buckets):  # noqa: SLF001
        cached.cache_clear()


def _outcome(result: Any) -> Outcome:
    """Return what a command reports that the model knows too."""
    if not isinstance(result, RunReport):
        return Outcome()
    counts = Counts(result.lines, result.accepted, result.duplicates, result.rejected, result.blank)
    return Outcome(None, counts, result.files, result.unread)
