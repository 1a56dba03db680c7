"""Measure the read path against its references; needs `wrk`, minutes, and a few GB in the temporary folder.

    python -m benchmarks.read [summary] [included] [language] [feed] [unmodified] [zones] [uncached] [filtered] [cold]
        [history] [memory] [workers] [engine] [--data DIR] [--events 375000] [--seconds 5] [--times 3]

Uses one worker and 16 connections. `--data` is a folder that `usage sample --now 2026-11-24T00:00:00Z` filled and
`usage run` loaded; without it one is made. Rates are answers per second. They alternate with those of a Litestar
application whose single route returns fixed bytes of the same size, under the same server.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from urllib.parse import quote

import duckdb

from benchmarks.data_folders import RARE_USER, USER, busiest, event, make_folder, readers, write_keys
from benchmarks.load import NOW, load_logs
from benchmarks.measuring import family, resident_kib
from benchmarks.serving import Load, Process, ask, load, served, static, tag_of
from pipeline.contract.calendar import DAY_US, QUARTER_US, RANGES, VIEWS, zone_names
from pipeline.contract.formats import instant
from pipeline.sample.cast import Plan
from pipeline.sample.generate import write

SUMMARY = "/api/v1/usage/summary"
LANGUAGE = "/api/v1/usage/by-language"
ACTIVITY = "/api/v1/usage/activity"

_ZONES = sorted(zone_names())
_VIEWS = [
    *(f"{SUMMARY}?range={range_}&activity_view={view}" for range_, view in product(RANGES, VIEWS)),
    *(f"{LANGUAGE}?range={range_}" for range_ in RANGES),
    *(f"{LANGUAGE}?activity_view={view}" for view in VIEWS),
]
EVERYTHING = [f"{path}&timezone={quote(zone)}" for zone in _ZONES for path in _VIEWS]


class Figures:
    """The measurements, one method each; their docstrings are their titles."""

    def __init__(self, root: Path, asked: argparse.Namespace) -> None:
        self._root, self._seconds, self._times = root, asked.seconds, asked.times
        self._plan = Plan(now=instant(NOW), events=asked.events, workspaces=200, days=30, seed=1)
        self._data: Path | None = asked.data

    def summary(self) -> str:
        """One summary, repeated ÷ the static route."""
        return self._beside([SUMMARY])

    def included(self) -> str:
        """Summaries with comparison and pace ÷ those without: one, repeated; then others that are new, one by one."""
        data, key = self._sample(), self._key()
        more = "include=comparison,pace"
        paths = [path for path in random.Random(1).sample(EVERYTHING, 2000) if path.startswith(SUMMARY)]  # noqa: S311
        with served(data, NOW) as server:
            pairs = [
                (self._load(server, [f"{SUMMARY}?{more}"], key).rate, self._load(server, [SUMMARY], key).rate)
                for _ in range(self._times)
            ]
            # Different questions, because what the first one leaves in memory helps the second.
            taken = [
                (ask(server, path, key)[0], ask(server, f"{other}&{more}", key)[0])
                for path, other in zip(paths[::2], paths[1::2], strict=False)
            ]
        rates = statistics.median(plain / included for included, plain in pairs)
        plain, included = (statistics.median(times) for times in zip(*taken, strict=True))
        return (
            f"repeated: {pairs[0][1]:,.0f} ÷ {pairs[0][0]:,.0f} a second = {rates:.2f} times as long\n"
            f"new, {len(taken)} of each: {included:.2f} ÷ {plain:.2f} ms = {included / plain:.2f} times as long"
        )

    def language(self) -> str:
        """One usage by language, repeated ÷ the static route."""
        return self._beside([LANGUAGE])

    def feed(self) -> str:
        """The first page of 20 events ÷ the static route."""
        return self._beside([ACTIVITY])

    def unmodified(self) -> str:
        """304 on `If-None-Match` ÷ the static route with the whole body."""
        return self._beside([SUMMARY], unmodified=True)

    def zones(self) -> str:
        """Any zone, range and view of one workspace ÷ the static route."""
        return self._beside(EVERYTHING)

    def uncached(self) -> str:
        """Summaries and usages by language that were not requested before, one after the other."""
        data, key = self._sample(), self._key()
        paths = random.Random(1).sample(EVERYTHING, 1000)  # noqa: S311 - not for cryptography
        with served(data, NOW) as server:
            ask(server, SUMMARY, key)
            taken = [ask(server, path, key)[0] for path in paths]
        return f"first answers to 1,000 different questions: {_spread(taken)}"

    def filtered(self) -> str:
        """A page with 3 matches in 90 days of a workspace with a million events ÷ the page without a filter."""
        end, step = instant(NOW), 90 * DAY_US // 1_000_000
        rare = {100_000, 500_000, 900_000}
        lines = (
            event(0, str(number), end - 1 - number * step, RARE_USER if number in rare else USER)
            for number in range(1_000_000)
        )
        (key,) = make_folder(self._root / "million", lines, readers(1))
        path, some = f"{ACTIVITY}?range=90d", f"{ACTIVITY}?range=90d&user_id={RARE_USER}"
        cold = []
        for _ in range(self._times):
            with served(self._root / "million", NOW) as server:
                ask(server, "/health/live", key)
                cold.append((ask(server, path, key)[0], ask(server, some, key)[0]))
        with served(self._root / "million", NOW) as server:
            zones = [f"&timezone={quote(zone)}" for zone in _ZONES]
            found = [[ask(server, start + zone, key)[0] for zone in zones] for start in (path, some)]
        return "\n".join(
            [
                f"first page, cold: {_spread([row[0] for row in cold])}",
                f"filtered, cold:   {_spread([row[1] for row in cold])}",
                f"first page, warm, each zone once: {_spread(found[0])}",
                f"filtered, warm, each zone once:   {_spread(found[1])}",
            ]
        )

    def cold(self) -> str:
        """The first answers about workspaces with 100,000 cube rows each, over 400 days."""
        workspaces, end = 12, instant(NOW)
        lines = (
            event(workspace, f"{quarter}-{locale}", end - quarter * QUARTER_US - 1, locale=locale)
            for workspace in range(workspaces)
            for quarter in range(400 * 96)
            for locale in ("de-DE", "en-US", "ja-JP")[: 2 + quarter % 2 * 1]
        )
        keys = make_folder(self._root / "wide", lines, readers(workspaces))
        rows = []
        with served(self._root / "wide", NOW) as server:
            for path in (SUMMARY, f"{SUMMARY}?range=90d&activity_view=monthly", LANGUAGE, ACTIVITY):
                ask(server, path, keys[0])
            for key, name in zip(keys[1:], ("default", "longest") * workspaces, strict=False):
                path = SUMMARY if name == "default" else f"{SUMMARY}?range=90d&activity_view=monthly"
                rows.append((name, ask(server, path, key)[0]))
        return "\n".join(
            f"{name} summary: {_spread([taken for other, taken in rows if other == name])}"
            for name in ("default", "longest")
        )

    def history(self) -> str:
        """Latency with ten times the events ÷ latency with the events once."""
        end, folders = instant(NOW), list[tuple[Path, str]]()
        for name, number in (("once", 100_000), ("ten-times", 1_000_000)):
            step = 90 * DAY_US // number
            lines = (event(0, str(count), end - 1 - count * step) for count in range(number))
            folders.append((self._root / name, make_folder(self._root / name, lines, readers(1))[0]))
        (few, few_key), (many, many_key) = folders
        paths = [*EVERYTHING, *(f"{ACTIVITY}?timezone={quote(zone)}" for zone in _ZONES)]
        with served(few, NOW) as one, served(many, NOW) as ten:
            pairs = [(self._load(ten, paths, many_key), self._load(one, paths, few_key)) for _ in range(self._times)]
        ratio = statistics.median(a.p50 / b.p50 for a, b in pairs)
        return f"p50 {pairs[0][0].p50:.2f} ms ÷ {pairs[0][1].p50:.2f} ms = {ratio:.2f}"

    def memory(self) -> str:
        """Memory of a worker after it answered about 10,000 workspaces."""
        # Each workspace has its own user, because a summary adds up its user's credits in all of their workspaces.
        members = [(workspace, workspace) for workspace, _ in readers(10_000)]
        lines = (event(number, "only", instant(NOW) - 1, user) for number, (_, user) in enumerate(members))
        keys = make_folder(self._root / "crowd", lines, members)
        with served(self._root / "crowd", NOW) as server:
            before = _worker_mib(server)
            for key, path in product(keys, (SUMMARY, LANGUAGE, ACTIVITY)):
                ask(server, path, key)
            return f"{before:.0f} MiB before, {_worker_mib(server):.0f} MiB after"

    def workers(self) -> str:
        """One summary, repeated, from two workers ÷ from one; both share two cores with `wrk`."""
        data, key = self._sample(), self._key()
        with served(data, NOW, workers=2) as two, served(data, NOW) as one:
            pairs = [(self._load(two, [SUMMARY], key), self._load(one, [SUMMARY], key)) for _ in range(self._times)]
        ratio = statistics.median(a.rate / b.rate for a, b in pairs)
        return f"{pairs[0][0].rate:,.0f} ÷ {pairs[0][1].rate:,.0f} a second = {ratio:.2f}"

    def engine(self) -> str:
        """Summaries of the largest workspace ÷ a DuckDB query over its partitioned events for each request."""
        data, key = self._sample(), self._key()
        workspace = busiest(data)[0]
        connection = duckdb.connect()
        query = f"""
            select timestamp // 86400000000, sum(credits), count(*) from (
              select epoch_us(timestamp) - 20700000000 as timestamp, credits
              from read_parquet('{data}/events/workspace_id={workspace}/*/events.parquet', hive_partitioning = false)
            ) group by all order by all
        """
        taken = []
        for _ in range(20):
            start = time.perf_counter()
            connection.execute(query).fetchall()
            taken.append(time.perf_counter() - start)
        rate = 1 / statistics.median(taken)
        with served(data, NOW) as server:
            ours = statistics.median(self._load(server, EVERYTHING, key).rate for _ in range(self._times))
        return f"{ours:,.0f} ÷ {rate:,.1f} a second = {ours / rate:,.0f}"

    def _beside(self, paths: Sequence[str], *, unmodified: bool = False) -> str:
        """Measure the service and the static route in turn; `unmodified` sends the tag of the first path."""
        data, key = self._sample(), self._key()
        with served(data, NOW) as server:
            sizes = [len(ask(server, path, key)[1]) for path in paths[:: len(paths) // 50 + 1]]
            headers = [f"If-None-Match: {tag_of(server, paths[0], key)}"] if unmodified else []
            with static(round(statistics.mean(sizes))) as fixed:
                load(fixed.url, seconds=1)
                pairs = [
                    (self._load(server, paths, key, headers), load(fixed.url, seconds=self._seconds))
                    for _ in range(self._times)
                ]
        share = statistics.median(ours.rate / other.rate for ours, other in pairs)
        ours, other = (sorted(side, key=lambda load: load.rate)[len(side) // 2] for side in zip(*pairs, strict=True))
        errors = sum(load.errors for pair in pairs for load in pair)
        return (
            f"{ours.rate:,.0f} ÷ {other.rate:,.0f} a second = {share:.0%}; p50 {ours.p50:.2f} ms, p99 {ours.p99:.2f} ms"
            f" (static {other.p50:.2f}, {other.p99:.2f}); {errors} errors"
        )

    def _load(self, server: Process, paths: Sequence[str], key: str, headers: Sequence[str] = ()) -> Load:
        return load(server.url, paths, seconds=self._seconds, headers=[f"Authorization: Bearer {key}", *headers])

    def _sample(self) -> Path:
        if self._data is None:
            self._data = self._root / "sample"
            write(self._data, self._plan)
            load_logs(self._data)
        return self._data

    def _key(self) -> str:
        return write_keys(self._sample(), [busiest(self._sample())])[0]


def _worker_mib(server: Process) -> float:
    return max(map(resident_kib, family(server.pid))) / 1024


def _spread(taken: Sequence[float]) -> str:
    ordered = sorted(taken)
    return (
        f"median {statistics.median(ordered):.2f} ms, p99 {ordered[len(ordered) * 99 // 100]:.2f} ms,"
        f" worst {ordered[-1]:.2f} ms"
    )


_NAMES = (
    "summary",
    "included",
    "language",
    "feed",
    "unmodified",
    "zones",
    "uncached",
    "filtered",
    "cold",
    "history",
    "memory",
    "workers",
    "engine",
)


def main() -> None:
    """Measure the figures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", choices=[*_NAMES, []])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--events", type=int, default=375_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = Figures(Path(folder), asked)
        for name in asked.figures or _NAMES:
            figure: Callable[[], str] = getattr(figures, name)
            print(f"\n{name}: {figure.__doc__}\n{figure()}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
