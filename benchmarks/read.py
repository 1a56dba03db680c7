"""The read path against what it is measured by; needs `wrk`, minutes, and a few GB in the temporary folder.

    python -m benchmarks.read [summary] [language] [feed] [unmodified] [zones] [unasked] [filtered] [cold] [history]
        [memory] [workers] [engine] [--data DIR] [--events 375000] [--seconds 5] [--times 3]

One worker and 16 connections. `--data` is a folder that `usage sample --now 2026-11-24T00:00:00Z` filled and
`usage run` loaded; without it one is made. Rates are answers a second, in turn with those of a Litestar application of
one route that returns fixed bytes of the same size under the same server.
"""

import argparse
import http.client
import json
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from urllib.parse import quote, urlsplit

import duckdb
import msgspec

from benchmarks.load import NOW, load_logs
from benchmarks.measuring import family, resident_kib
from benchmarks.serving import Load, Process, load, served, static
from pipeline.contract.calendar import DAY_US, QUARTER_US, RANGES, VIEWS, rfc3339, zone_names
from pipeline.contract.directory import LOCAL_KEYS, MEMBERS, READ_SCOPE, ApiKey, Member, sha256_hex
from pipeline.contract.formats import instant
from pipeline.contract.tables import DIRECTORY
from pipeline.keys import new_secret, write_rows
from pipeline.sample.cast import Plan
from pipeline.sample.generate import write

SUMMARY = "/api/v1/usage/summary"
LANGUAGE = "/api/v1/usage/by-language"
ACTIVITY = "/api/v1/usage/activity"
USER, RARE_USER = (str(uuid.UUID(int=number)) for number in (1, 2))

_ZONES = sorted(zone_names())
_VIEWS = [
    *(f"{SUMMARY}?range={range_}&activity_view={view}" for range_, view in product(RANGES, VIEWS)),
    *(f"{LANGUAGE}?range={range_}" for range_ in RANGES),
    *(f"{LANGUAGE}?activity_view={view}" for view in VIEWS),
]
EVERYTHING = [f"{path}&timezone={quote(zone)}" for zone in _ZONES for path in _VIEWS]


def event(workspace: int, name: str, moment: int, user_id: str = USER, locale: str = "de-DE") -> bytes:
    """Return one line of a log."""
    record = {
        "id": f"evt_{name}",
        "workspace_id": str(uuid.UUID(int=workspace)),
        "timestamp": rfc3339(moment),
        "action": "voice_generated",
        "kind": "text_to_speech",
        "resource": {"type": "voice", "id": f"voice_{moment % 97}", "name": "Nova"},
        "user": {"id": user_id, "name": "Ada"},
        "metadata": {"request_id": name, "duration_ms": moment % 997},
        "usage": {"credits": moment % 50, "languages": [{"locale": locale, "characters": moment % 700, "lines": 3}]},
    }
    return json.dumps(record).encode() + b"\n"


def folder_of(data: Path, lines: Iterable[bytes], readers: Sequence[tuple[str, str]]) -> list[str]:
    """Make a data folder of these lines; return a key of each (workspace, user)."""
    (data / "raw").mkdir(parents=True)
    with (data / "raw" / "events.jsonl").open("wb") as file:
        file.writelines(lines)
    load_logs(data)
    users = [(workspace, user) for workspace, reader in readers for user in (reader, RARE_USER)]
    (data / DIRECTORY).mkdir()
    write_rows(data / DIRECTORY / MEMBERS, (Member(*user, "Ada", "admin", "active") for user in users))
    return give_keys(data, readers)


def give_keys(data: Path, members: Sequence[tuple[str, str]]) -> list[str]:
    """Return a new key of each member, the only ones of the folder that were made here."""
    secrets = [new_secret() for _ in members]
    rows = [
        ApiKey(f"bench_{number}", sha256_hex(secret), *member, (READ_SCOPE,))
        for number, (secret, member) in enumerate(zip(secrets, members, strict=True))
    ]
    write_rows(data / DIRECTORY / LOCAL_KEYS, rows)
    return secrets


def ask(server: Process, path: str, key: str) -> tuple[float, bytes]:
    """Ask once; return milliseconds and the body."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    start = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    reply = connection.getresponse()
    body = reply.read()
    taken = (time.perf_counter() - start) * 1000
    connection.close()
    if reply.status != http.HTTPStatus.OK:
        raise SystemExit(f"{path}: {reply.status} {body.decode()}")
    return taken, body


def tag_of(server: Process, path: str, key: str) -> str:
    """Return the `ETag` of an answer."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request("HEAD", path, headers={"Authorization": f"Bearer {key}"})
    return str(connection.getresponse().headers["ETag"])


class Figures:
    """What is measured, by its name."""

    def __init__(self, root: Path, asked: argparse.Namespace) -> None:
        self._root, self._seconds, self._times = root, asked.seconds, asked.times
        self._plan = Plan(now=instant(NOW), events=asked.events, workspaces=200, days=30, seed=1)
        self._data: Path | None = asked.data

    def summary(self) -> str:
        """The same summary ÷ the static route."""
        return self._beside([SUMMARY])

    def language(self) -> str:
        """The same usage by language ÷ the static route."""
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

    def unasked(self) -> str:
        """Summaries and languages that were not asked before, one after the other."""
        data, key = self._sample(), self._key()
        paths = random.Random(1).sample(EVERYTHING, 1000)  # noqa: S311 - a benchmark's dice
        with served(data, NOW) as server:
            ask(server, SUMMARY, key)
            taken = [ask(server, path, key)[0] for path in paths]
        return f"first answers to 1,000 different questions: {_spread(taken)}"

    def filtered(self) -> str:
        """3 matches in 90 days of a workspace with a million events, ÷ the page without a filter."""
        end, step = instant(NOW), 90 * DAY_US // 1_000_000
        rare = {100_000, 500_000, 900_000}
        lines = (
            event(0, str(number), end - 1 - number * step, RARE_USER if number in rare else USER)
            for number in range(1_000_000)
        )
        (key,) = folder_of(self._root / "million", lines, _readers(1))
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
        """The first answers about workspaces of 100,000 cube rows each, over 400 days."""
        workspaces, end = 12, instant(NOW)
        lines = (
            event(workspace, f"{quarter}-{locale}", end - quarter * QUARTER_US - 1, locale=locale)
            for workspace in range(workspaces)
            for quarter in range(400 * 96)
            for locale in ("de-DE", "en-US", "ja-JP")[: 2 + quarter % 2 * 1]
        )
        keys = folder_of(self._root / "wide", lines, _readers(workspaces))
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
        """Latency with ten times the events ÷ with once."""
        end, folders = instant(NOW), list[tuple[Path, str]]()
        for name, number in (("once", 100_000), ("ten-times", 1_000_000)):
            step = 90 * DAY_US // number
            lines = (event(0, str(count), end - 1 - count * step) for count in range(number))
            folders.append((self._root / name, folder_of(self._root / name, lines, _readers(1))[0]))
        (few, few_key), (many, many_key) = folders
        paths = [*EVERYTHING, *(f"{ACTIVITY}?timezone={quote(zone)}" for zone in _ZONES)]
        with served(few, NOW) as one, served(many, NOW) as ten:
            pairs = [(self._load(ten, paths, many_key), self._load(one, paths, few_key)) for _ in range(self._times)]
        ratio = statistics.median(a.p50 / b.p50 for a, b in pairs)
        return f"p50 {pairs[0][0].p50:.2f} ms ÷ {pairs[0][1].p50:.2f} ms = {ratio:.2f}"

    def memory(self) -> str:
        """Memory of a worker after 10,000 workspaces were touched."""
        # Each with a user of its own: a summary adds up what its user used wherever they are listed.
        readers = [(workspace, workspace) for workspace, _ in _readers(10_000)]
        lines = (event(number, "only", instant(NOW) - 1, user) for number, (_, user) in enumerate(readers))
        keys = folder_of(self._root / "crowd", lines, readers)
        with served(self._root / "crowd", NOW) as server:
            before = _worker_mib(server)
            for key, path in product(keys, (SUMMARY, LANGUAGE, ACTIVITY)):
                ask(server, path, key)
            return f"{before:.0f} MiB at first, {_worker_mib(server):.0f} MiB then"

    def workers(self) -> str:
        """The same summary from two workers ÷ from one, which shares two cores with `wrk`."""
        data, key = self._sample(), self._key()
        with served(data, NOW, workers=2) as two, served(data, NOW) as one:
            pairs = [(self._load(two, [SUMMARY], key), self._load(one, [SUMMARY], key)) for _ in range(self._times)]
        ratio = statistics.median(a.rate / b.rate for a, b in pairs)
        return f"{pairs[0][0].rate:,.0f} ÷ {pairs[0][1].rate:,.0f} a second = {ratio:.2f}"

    def engine(self) -> str:
        """Summaries of the largest workspace ÷ DuckDB over its partitioned events for each request."""
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
        return give_keys(self._sample(), [busiest(self._sample())])[0]


def _readers(workspaces: int) -> list[tuple[str, str]]:
    return [(str(uuid.UUID(int=number)), USER) for number in range(workspaces)]


def busiest(data: Path) -> tuple[str, str]:
    """Return the workspace and the user of the sample's own key."""
    first = (data / DIRECTORY / "api_keys.jsonl").read_bytes().split(b"\n")[0]
    row = msgspec.json.decode(first, type=ApiKey)
    return row.workspace_id, row.user_id


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
    "language",
    "feed",
    "unmodified",
    "zones",
    "unasked",
    "filtered",
    "cold",
    "history",
    "memory",
    "workers",
    "engine",
)


def main() -> None:
    """Measure everything."""
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
