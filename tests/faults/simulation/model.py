"""The model of a data folder: what every command must leave there, by the oracle's rules alone.

A `World` is one thing that the folder may hold. It never changes: a command returns the worlds that follow, one for
each commit, so that a command that is killed leaves one of them. Pure: the raw files are handed in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from tests.faults.simulation.erasing import Rejected, Tombstones, day_of
from tests.faults.simulation.raw_files import Raw, RawFile, unpacked
from tests.oracle import Event, Verdict, validate
from tests.oracle.instants import DAY_US
from tests.oracle.loading import split_lines

Key = tuple[str, int, str]  # workspace, UTC day number, id


class Counts(NamedTuple):
    """What a run reports of the lines that it read."""

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    blank: int = 0


class Outcome(NamedTuple):
    """How a command ends: by an error's name, or with the numbers of its report."""

    error: str | None = None
    counts: Counts = Counts()
    files: int = 0
    unread: int = 0


@dataclass(frozen=True)
class Read:
    """What the ledger knows of a raw file."""

    identity: tuple[int, int, int]
    prefix: bytes  # of a plain file: its complete lines
    lines: int  # complete ones
    has_tail: bool  # whether a line without newline follows them
    is_broken: bool  # whether the file could not be read to its end


@dataclass(frozen=True)
class World:
    """What a data folder may hold."""

    events: Mapping[Key, Event] = field(default_factory=dict)
    ledger: Mapping[str, Read] = field(default_factory=dict)
    rejected: Mapping[str, tuple[Rejected, ...]] = field(default_factory=dict)
    accepted: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)  # unread files that somebody accepted
    tombstones: Tombstones = field(default_factory=Tombstones)
    keys: Mapping[str, tuple[str, str, bool]] = field(default_factory=dict)  # local: workspace, user, revoked
    as_of: int | None = None
    discarded: frozenset[str] = frozenset()  # files of a commit that was lost: the next run reads them again

    def waiting(self, raw: Raw) -> list[str]:
        """Return the files that hold `data_as_of` after a run."""
        return [
            name
            for name, file in sorted(raw.items())
            if self.accepted.get(name) != file.identity
            and (not self._is_read(name, file) or self.ledger[name].is_broken)
        ]

    def unread(self, raw: Raw) -> list[str]:
        """Return the files that the next run reads."""
        return [
            name for name, file in sorted(raw.items()) if file.content is not None and not self._is_read(name, file)
        ]

    def erased(self, more: Tombstones | None = None) -> "World":
        """Return the world without what its tombstones cover, after adding some."""
        stones = self.tombstones
        if more is not None:
            stones = Tombstones(
                stones.users | more.users, stones.workspaces | more.workspaces, max(stones.floor, more.floor)
            )
        kept = {key: stones.kept(event) for key, event in self.events.items()}
        rejected = {name: tuple(r for r in rows if not stones.erase(r)) for name, rows in self.rejected.items()}
        gone = stones.users | stones.workspaces
        return replace(
            self,
            tombstones=stones,
            events={key: event for key, event in kept.items() if event is not None},
            rejected={name: rows for name, rows in rejected.items() if rows},
            keys={name: key for name, key in self.keys.items() if gone.isdisjoint(key[:2])},
        )

    def run(self, raw: Raw, now: int, failing: str = "", *, sliced: bool = False) -> tuple[list["World"], Outcome]:
        """Return the worlds of a run, the last one if nothing disturbs it, and its outcome.

        Args:
            raw: the raw files.
            now: when it starts.
            failing: the file that the disk cannot read in this run.
            sliced: whether each file is a commit of its own.
        """
        worlds, total = [self, self.erased()], Counts()
        parts = worlds[-1].unread(raw)
        for group in [[name] for name in parts] if sliced else [parts]:
            world, counts = worlds[-1].after_reading(group, raw, now, failing)
            worlds.append(world)
            total = Counts(*map(sum, zip(total, counts, strict=True)))
        last = worlds[-1].settled(raw)
        waiting = last.waiting(raw)
        worlds.append(last if waiting else replace(last, as_of=now))
        return worlds, Outcome(None, total, len(parts), len(waiting))

    def rebuild(
        self,
        raw: Raw,
        now: int,
        failing: str = "",
        workspaces: frozenset[str] = frozenset(),
        since: str = "",
        *,
        accept_loss: bool = False,
    ) -> tuple[list["World"], Outcome]:
        """Return the worlds and the outcome of a rebuild of everything, or of some workspaces or months."""
        whole = not workspaces and not since
        erased = self.erased()
        first = replace(self, keys=erased.keys) if whole else erased
        known = self.ledger.keys() | self.discarded
        there = {name: file.content for name, file in raw.items() if file.content is not None}
        whole_before = {name for name in known if name not in self.ledger or not self.ledger[name].is_broken}
        broken = {name for name, content in there.items() if name == failing or unpacked(name, content)[1]}
        lost = (known - there.keys()) | (whole_before & broken)
        if lost and not accept_loss:
            return [self, first], Outcome("RawGoneError")

        def covered(key: Key) -> bool:
            return (not workspaces or key[0] in workspaces) and day_of(key[1] * DAY_US)[:7] >= since

        left = replace(
            first, ledger={}, rejected={}, events={key: e for key, e in first.events.items() if not covered(key)}
        )
        parts = left.unread(raw)
        after, counts = left.after_reading(parts, raw, now, failing, covered)
        if not whole:
            kept = replace(first, events=after.events)
            unread = [name for name, file in raw.items() if name in broken or file.content is None]
            held = [name for name in unread if self.accepted.get(name) != raw[name].identity]
            return [self, first, kept], Outcome(None, counts, len(parts), len(held))
        after = replace(after.settled(raw), discarded=frozenset())
        waiting = after.waiting(raw)
        last = after if waiting else replace(after, as_of=now)
        return [self, first, last], Outcome(None, counts, len(parts), len(waiting))

    def retry(self, now: int, reason: str | None) -> tuple[list["World"], Outcome]:
        """Return the worlds and the outcome of validating rejected lines again."""
        world = self.erased()
        good, rejected, counts = [], dict(world.rejected), [0, 0]
        rejected_at = world.tombstones.rejected_at(now)
        wanted = [
            (name, rows) for name, rows in world.rejected.items() if any(reason in {None, r.reason} for r in rows)
        ]
        for name, rows in wanted:
            read, left = world.ledger.get(name), []
            for row in rows:
                is_tail = read is not None and read.has_tail and row.line_number == read.lines + 1
                if row.reason == "truncated_line" or is_tail or reason not in {None, row.reason}:
                    left.append(row)
                    continue
                verdict = _verdict(row.line, now, last=False)
                counts[0] += 1
                if verdict.event is not None:
                    good.append(verdict.event)
                elif verdict.reason is not None:
                    counts[1] += 1
                    left.append(Rejected(row.line_number, verdict.reason, verdict.field, row.line, rejected_at))
            rejected[name] = tuple(left)
        events, accepted = world.merged(good)
        after = replace(world, events=events, rejected={name: rows for name, rows in rejected.items() if rows})
        report = Counts(counts[0], accepted, len(good) - accepted, counts[1], 0)
        return [self, world, after], Outcome(None, report, len(wanted))

    def after_power_cut(self, before: "World") -> Iterator["World"]:
        """Yield what may be known of the raw files after a commit that a power cut tore."""
        yield self
        touched = {name for name, read in self.ledger.items() if before.ledger.get(name) != read}
        for gone in (touched, set(self.ledger)):
            kept = {name: read for name, read in self.ledger.items() if name not in gone}
            yield replace(self, ledger=kept, discarded=self.discarded | gone)

    def _is_read(self, name: str, file: RawFile) -> bool:
        return name in self.ledger and self.ledger[name].identity == file.identity and file.content is not None

    def settled(self, raw: Raw) -> "World":
        """Return the world that no longer accepts files that were mended or have changed."""
        accepted = {
            name: identity
            for name, identity in self.accepted.items()
            if name not in raw
            or (
                raw[name].identity == identity
                and not (self._is_read(name, raw[name]) and not self.ledger[name].is_broken)
            )
        }
        return replace(self, accepted=accepted)

    def after_reading(
        self, parts: Iterable[str], raw: Raw, now: int, failing: str, covered: Callable[[Key], bool] | None = None
    ) -> tuple["World", Counts]:
        """Return the world with some files read, and the counts of their lines."""
        ledger, rejected, good = dict(self.ledger), dict(self.rejected), []
        lines = bad = blank = unnamed = 0
        rejected_at = self.tombstones.rejected_at(now)
        for name in parts:
            if name == failing:
                continue
            file = raw[name]
            start, before, rows = self._start(name, file)
            found, is_broken = unpacked(name, file.content or b"")
            for line, last in split_lines(found[start:]):
                verdict = _verdict(line, now, last=last)
                if last and is_broken and verdict.event is None:  # more of the line may follow
                    continue
                lines += 1
                number = before + 1
                before += not last
                if verdict.event is not None:
                    good.append(verdict.event)
                elif verdict.is_blank:
                    blank += 1
                else:
                    row = Rejected(number, verdict.reason or "", verdict.field, line, rejected_at)
                    if self.tombstones.name(line):
                        unnamed += 1  # counts as a duplicate
                    else:
                        bad += 1
                        rows.append(row)
            end = found.rfind(b"\n") + 1
            packed = name.endswith((".gz", ".zst"))
            ledger[name] = Read(file.identity, b"" if packed else found[:end], before, end < len(found), is_broken)
            rejected[name] = tuple(rows)
        events, accepted = self.merged(event for event in good if covered is None or covered(event.identity))
        world = replace(
            self,
            events=events,
            ledger=ledger,
            rejected={name: rows for name, rows in rejected.items() if rows},
            discarded=self.discarded - ledger.keys(),
        )
        return world, Counts(lines, accepted, len(good) - accepted + unnamed, bad, blank)

    def _start(self, name: str, file: RawFile) -> tuple[int, int, list[Rejected]]:
        """Return where reading starts: the offset, the lines before it, and those of them that were rejected."""
        read, content = self.ledger.get(name), file.content or b""
        if read is None or name.endswith((".gz", ".zst")) or read.identity[0] != file.identity[0]:
            return 0, 0, []
        if read.identity[1] >= len(content) or not content.startswith(read.prefix):
            return 0, 0, []
        rows = [row for row in self.rejected.get(name, ()) if row.line_number <= read.lines]
        return len(read.prefix), read.lines, rows

    def merged(self, found: Iterable[Event]) -> tuple[dict[Key, Event], int]:
        """Return the events with more versions, and how many of these are current."""
        events = dict(self.events)
        for event in found:
            kept = self.tombstones.kept(event)
            if kept is not None and (kept.identity not in events or kept.rank > events[kept.identity].rank):
                events[kept.identity] = kept
        return events, sum(self.events.get(key) is not event for key, event in events.items())


@lru_cache(maxsize=1 << 14)
def _verdict(line: bytes, now: int, *, last: bool) -> Verdict:
    return validate(line, last=last, run_start_us=now)
