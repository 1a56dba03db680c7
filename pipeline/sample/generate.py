"""Write seeded, realistic activity logs and a directory.

Writes daily files `raw/activity-YYYY-MM-DD.jsonl` (some `.gz`, some `.zst`), and the files of `directory/`. Lines are
in the order of their arrival, each in the file of that day: late records, later versions of a run and re-deliveries
come after their event. The same plan gives the same bytes in `raw/`. Only one slice of a day is in memory at a time.

    ForeignFilesError  the data folder holds files that this module did not write
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from gzip import GzipFile
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.contract.calendar import DAY_US, SECOND_US, utc_day, utc_day_start
from pipeline.contract.directory import ACCOUNTS, MEMBERS, PRODUCT_KEYS
from pipeline.contract.settings import DIRECTORY, RAW
from pipeline.keys import write_rows
from pipeline.sample.cast import Cast, Floats, Ints, Plan, invent, keys
from pipeline.sample.records import SLICE_EVENTS, Line, Slice, write_lines
from pipeline.storage import ownership

MARKER: Final = ".sample.json"

_HOUR_US: Final = 3_600 * SECOND_US
_HOURS: Final = 24
# Relative activity by hour of the local day, and by day of the local week from Monday.
_DAYTIME: Final = np.array([2, 1, 1, 1, 1, 2, 5, 14, 40, 75, 95, 90, 60, 80, 100, 98, 92, 80, 50, 28, 20, 14, 9, 4])
_WEEKDAYS: Final = np.array([0.95, 1.05, 1.1, 1.0, 0.85, 0.22, 0.15])
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday

_GZIP_LEVEL: Final = 1
_EVENTS_PER_BAD_LINE: Final = 2_000
_FEWEST_BAD_LINES: Final = 12

# Each turns a valid line into one that is rejected for this reason; the last makes a blank line.
BREAKS: Final[tuple[tuple[str, Callable[[bytes], bytes]], ...]] = (
    ("invalid_json", lambda line: line[: len(line) // 2]),
    ("not_an_object", lambda line: b"[" + line + b"]"),
    ("missing_field", lambda line: line.replace(b'"kind":', b'"sort":')),
    ("invalid_type", lambda line: line.replace(b'"credits":', b'"credits":"many","paid":')),
    ("invalid_value", lambda line: line.replace(b'"action":"', b'"action":"un')),
    ("timestamp_out_of_range", lambda line: line.replace(b'"timestamp":"20', b'"timestamp":"19')),
    ("invalid_locale", lambda line: line.replace(b'"locale":"', b'"locale":"English / ', 1)),
    ("invalid_encoding", lambda line: line.replace(b'"type":"', b'"type":"caf\xe9-')),
    ("blank", lambda line: line[:0]),
)


class ForeignFilesError(Exception):
    """Raised before anything is written if the folder holds logs or directory files that this module did not write."""


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Sample(msgspec.Struct, frozen=True):
    """What was written, and a key that can read the busiest workspace."""

    key: str
    workspace_id: str
    user_id: str
    events: int
    lines: int  # including versions, re-deliveries and bad lines
    bytes: int  # before compression
    files: int


def write(data_dir: Path, plan: Plan, *, force: bool = False) -> Sample:
    """Write the logs and the directory of a plan, replacing those of an earlier plan.

    Foreign files are those that this module did not write.

    Args:
        data_dir: the data folder; created if necessary.
        plan: how much to write.
        force: accept foreign files; those with the same names are replaced.

    Raises:
        ForeignFilesError: there are foreign files, and `force` is false.
    """
    with ownership.writing():
        return _write(data_dir, plan, force=force)


def _write(data_dir: Path, plan: Plan, *, force: bool) -> Sample:
    days = _days(plan)
    names = [f"{RAW}/{_file_name(day, number, len(days))}" for number, day in enumerate(days)]
    _claim(data_dir, [*names, *(f"{DIRECTORY}/{name}" for name in (MEMBERS, ACCOUNTS, PRODUCT_KEYS))], force=force)
    cast = invent(plan)
    key, api_keys = keys(plan, cast)
    write_rows(data_dir / DIRECTORY / MEMBERS, cast.members)
    write_rows(data_dir / DIRECTORY / ACCOUNTS, cast.accounts)
    write_rows(data_dir / DIRECTORY / PRODUCT_KEYS, api_keys)
    lines, size = _write_logs(data_dir, plan, cast, list(zip(days, names, strict=True)))
    return Sample(
        key=key,
        workspace_id=cast.workspace_ids[0],
        user_id=cast.members[0].user_id,
        events=plan.events,
        lines=lines,
        bytes=size,
        files=len(names),
    )


def _write_logs(data_dir: Path, plan: Plan, cast: Cast, files: list[tuple[date, str]]) -> tuple[int, int]:
    """Write the log files and return the number of lines and of bytes.

    Args:
        data_dir: the data folder.
        plan: how much to write.
        cast: who acts.
        files: the UTC days in order, each with the name of its file.
    """
    rng = np.random.default_rng([plan.seed, 1])
    counts = _events_by_day(rng, plan, cast, [day for day, _ in files])
    bad_lines = min(plan.events, max(_FEWEST_BAD_LINES, plan.events // _EVENTS_PER_BAD_LINE))
    bad = np.sort(rng.choice(plan.events, bad_lines, replace=False))  # indexes of events whose line is also broken
    undelivered: list[Line] = []
    events = broken = lines = size = 0
    for number, (day, name) in enumerate(files):
        last = number == len(files) - 1
        with _opened(data_dir / name, data_dir) as file:
            for part in _slices(rng, plan, cast, day, int(counts[number])):
                fresh = write_lines(rng, plan.now, cast, part)
                end = events + len(part.timestamps)
                while broken < len(bad) and bad[broken] < end:
                    fresh.append(_break_line(fresh, int(bad[broken]) - events, broken))
                    broken += 1
                events = end
                undelivered += fresh
                undelivered.sort()
                due = bisect_left(undelivered, (plan.now + 1 if last and part.until >= plan.now else part.until,))
                text = b"\n".join([line for _, line in undelivered[:due]] + [b""])
                file.write(text)
                lines, size = lines + due, size + len(text)
                del undelivered[:due]
            if number == 0 and not last:  # as if the producer had crashed while it wrote a line
                cut = b'{"id":"evt_' + b"0" * 13
                file.write(cut)
                lines, size = lines + 1, size + len(cut)
    return lines, size


def _days(plan: Plan) -> list[date]:
    first = utc_day(plan.now - plan.days * DAY_US).toordinal()
    return [date.fromordinal(day) for day in range(first, utc_day(plan.now - 1).toordinal() + 1)]


def _file_name(day: date, number: int, count: int) -> str:
    # The newest file stays uncompressed, because a producer still appends to it.
    suffix = {2: ".gz", 5: ".zst"}.get(number % 6, "") if number < count - 1 else ""
    return f"activity-{day}.jsonl{suffix}"


def _rates(plan: Plan, cast: Cast, day: date) -> Floats:
    """Return the relative number of events to expect, (24, workspaces), by hour of a UTC day."""
    starts = utc_day_start(day) + np.arange(_HOURS) * _HOUR_US
    ends = np.minimum(starts + _HOUR_US, plan.now)
    covered = np.maximum(ends - np.maximum(starts, plan.now - plan.days * DAY_US), 0)
    ahead = np.array([home.ahead_us for home in cast.homes])
    local = starts[:, None] + ahead[None, :]
    busy = _DAYTIME[local // _HOUR_US % _HOURS] * _WEEKDAYS[(local // DAY_US + _EPOCH_WEEKDAY) % len(_WEEKDAYS)]
    rates: Floats = busy * covered[:, None] * cast.shares[None, :]
    return rates


def _events_by_day(rng: np.random.Generator, plan: Plan, cast: Cast, days: list[date]) -> Ints:
    """Draw the number of events of each day, (days,), with slow growth and some noise."""
    weights = np.array([_rates(plan, cast, day).sum() for day in days])
    weights *= np.linspace(0.6, 1.0, len(days)) * rng.lognormal(0, 0.15, len(days))
    return rng.multinomial(plan.events, weights / weights.sum())


def _slices(rng: np.random.Generator, plan: Plan, cast: Cast, day: date, count: int) -> Iterator[Slice]:
    """Yield a day's events in time order, in slices that fit into memory."""
    rates = _rates(plan, cast, day).ravel()
    cells = np.repeat(np.arange(rates.size), rng.multinomial(count, rates / rates.sum()))
    start = utc_day_start(day)
    lows = np.maximum(start + cells // plan.workspaces * _HOUR_US, plan.now - plan.days * DAY_US)
    highs = np.minimum(start + (cells // plan.workspaces + 1) * _HOUR_US, plan.now)
    timestamps = rng.integers(lows, highs)
    order = np.argsort(timestamps, kind="stable")
    for first in range(0, max(count, 1), SLICE_EVENTS):
        chosen = order[first : first + SLICE_EVENTS]
        more = first + SLICE_EVENTS < count
        until = int(timestamps[order[first + SLICE_EVENTS]]) if more else start + DAY_US
        yield Slice(timestamps[chosen], cells[chosen] % plan.workspaces, until)


def _break_line(lines: list[Line], index: int, number: int) -> Line:
    """Return a broken copy of the first line, from `index` on, that the break with this number changes."""
    break_ = BREAKS[number % len(BREAKS)][1]
    for arrival, line in lines[index:]:
        if (bad := break_(line)) != line:
            return arrival, bad
    return lines[index][0], lines[index][1][:-1]


def _claim(data_dir: Path, names: list[str], *, force: bool) -> None:
    """Record the files to be written, and delete those of an earlier plan that are not among them.

    Args:
        data_dir: the data folder.
        names: the files to be written, relative to the data folder.
        force: ignore foreign files.

    Raises:
        ForeignFilesError: there are foreign files, and `force` is false.
    """
    marker = data_dir / MARKER
    ours = set(msgspec.json.decode(marker.read_bytes(), type=list[str])) if marker.exists() else set()
    raw = {str(path.relative_to(data_dir)) for path in data_dir.glob(f"{RAW}/**/*") if path.is_file()}
    directory = {name for name in names if not name.startswith(RAW) and (data_dir / name).exists()}
    foreign = sorted((raw | directory) - ours)
    if foreign and not force:
        raise ForeignFilesError(
            f"{data_dir} holds {len(foreign)} file(s) that `usage sample` did not write, such as {foreign[0]}"
        )
    for name in ours - set(names):
        (data_dir / name).unlink(missing_ok=True)
    ownership.make_folder(data_dir / RAW, data_dir)
    ownership.make_file(marker, data_dir)
    marker.write_bytes(msgspec.json.encode(names))


@contextmanager
def _opened(path: Path, data_dir: Path) -> Iterator[_Sink]:
    """Write a file, compressed by its suffix, under a name that no run reads; rename it when it is complete."""
    unfinished = path.with_name(f"{path.name}.tmp")
    with unfinished.open("wb") as plain:
        ownership.give(plain.fileno(), data_dir)
        if path.suffix == ".gz":
            # Without a name and a time in its header, the same lines give the same bytes.
            with GzipFile("", "wb", _GZIP_LEVEL, plain, mtime=0) as file:
                yield file
        elif path.suffix == ".zst":
            with pa.CompressedOutputStream(plain, "zstd") as file:
                yield file
        else:
            yield plain
    unfinished.replace(path)
