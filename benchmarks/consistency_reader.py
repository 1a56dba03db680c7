"""Query a service while its data change, and check that every answer is consistent.

An answer must be consistent in itself, with the neighbouring answers on the same connection, and with earlier ones.

Runs as its own process with several threads, each on one kept connection and therefore on one worker. Reads its task
from the first line of stdin, queries until stdin is closed, and writes its findings to stdout as JSON.
"""

import gzip
import http.client
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from benchmarks.atomic_batches import (
    PART_CREDITS,
    PARTS,
    TornError,
    check_csv_table,
    check_languages,
    check_summary,
    complete_batches,
    require_equal,
)
from pipeline.contract.calendar import RANGES, VIEWS, zone_names

SUMMARY: Final = "/api/v1/usage/summary"
LANGUAGE: Final = "/api/v1/usage/by-language"
ACTIVITY: Final = "/api/v1/usage/activity"
WHOAMI: Final = "/api/v1/auth/whoami"
_PAGE_SIZES: Final = (7, 20, 100)
_PAUSE_SECONDS: Final = 0.1
_MOST_ERRORS: Final = 20  # stop after this many errors
_GZIP_SHARE, _WALK_BACK_SHARE = 0.5, 0.3  # share of requests with gzip, of feeds that are walked back


class WatchedWorkspace(msgspec.Struct, frozen=True):
    """An API key, and whether the data of its workspace only grow."""

    key: str
    only_grows: bool


class Task(msgspec.Struct, frozen=True):
    """What to query."""

    urls: list[str]  # of services; each thread asks one of them
    workspaces: list[WatchedWorkspace]
    threads: int
    seed: int
    patience: float = 0  # seconds for which a request is repeated whose connection breaks


class Findings(msgspec.Struct):
    """The number of checks by kind, the errors, and the latency of each answer in milliseconds."""

    checks: dict[str, int]
    errors: list[str]
    milliseconds: list[float]


class Answer(msgspec.Struct, frozen=True):
    """An answer of the service, decompressed."""

    status: int
    etag: str
    body: bytes

    @property
    def whole(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """Return the `data` of the body."""
        return self.whole["data"]


class Client:
    """A kept connection, and therefore one worker."""

    def __init__(self, url: str, key: str, patience: float = 0) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._key = key
        self._patience = patience
        self.milliseconds: list[float] = []

    def ask(self, path: str, *others: int, **headers: str) -> Answer:
        """Send one request.

        Args:
            path: the path with its query.
            others: statuses besides 200 that are expected.
            headers: by name, with `_` for `-`.

        Raises:
            TornError: the status is not an expected one.
        """
        sent = {"Authorization": f"Bearer {self._key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        until = time.monotonic() + self._patience
        while True:
            start = time.perf_counter()
            try:
                self._connection.request("GET", path, headers=sent)
                reply = self._connection.getresponse()
                body = reply.read()
                break
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECONDS)
        self.milliseconds.append((time.perf_counter() - start) * 1000)
        if reply.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if reply.status not in {200, *others}:
            raise TornError(f"{path}: {reply.status} {body[:300].decode()}")
        return Answer(reply.status, reply.headers.get("ETag", ""), body)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        self._connection.close()


class ConsistencyReader:
    """Checks the answers of one connection.

    Args:
        client: the connection.
        workspace: the workspace that its key reads.
        rng: chooses what to query.
        findings: collects the results; shared by all threads.
    """

    def __init__(self, client: Client, workspace: WatchedWorkspace, rng: random.Random, findings: Findings) -> None:
        self._client, self._workspace, self._rng, self._findings = client, workspace, rng, findings
        self._zones = sorted(zone_names())
        self._batches = 0

    def check(self) -> None:
        """Make one check, chosen at random, and record its result."""
        checks: list[Callable[[], None]] = [self.figures, self.figures, self.unchanged, self.csv_table, self.feed]
        check = self._rng.choice(checks)
        try:
            check()
            done = self._findings.checks
            done[check.__name__] = done.get(check.__name__, 0) + 1
        except (TornError, KeyError, ValueError, TypeError, IndexError, OSError, http.client.HTTPException) as error:
            self._findings.errors.append(f"{check.__name__}: {type(error).__name__}: {error}")
            self._client.close()

    def _ask(self, path: str, *others: int, **headers: str) -> Answer:
        encoding = {"Accept_Encoding": "gzip"} if self._rng.random() < _GZIP_SHARE else {}
        return self._client.ask(path, *others, **headers, **encoding)

    def figures(self) -> None:
        """Check summary and usage by language, and that they agree if they are of the same state of the tables."""
        range_, view, zone = self._rng.choice(RANGES), self._rng.choice(VIEWS), quote(self._rng.choice(self._zones))
        first = self._ask(f"{SUMMARY}?range={range_}&activity_view={view}&timezone={zone}")
        by_range = self._ask(f"{LANGUAGE}?range={range_}&timezone={zone}")
        by_view = self._ask(f"{LANGUAGE}?activity_view={view}&timezone={zone}")
        last = self._ask(f"{SUMMARY}?range={range_}&activity_view={view}&timezone={zone}")
        used, in_range, in_view = (
            check_summary(first.data),
            check_languages(by_range.data),
            check_languages(by_view.data),
        )
        if first.etag == last.etag:
            require_equal("the range by day and by language", used, in_range)
            require_equal("the view by bucket and by language", first.data["activity"]["total"], in_view)
        self._require_growth(range_, check_summary(last.data))

    def unchanged(self) -> None:
        """Check that `If-None-Match` gives 304 with the same tag, or a body with another tag."""
        path = f"{self._rng.choice((SUMMARY, LANGUAGE, ACTIVITY, WHOAMI))}?range={self._rng.choice(RANGES)}"
        before = self._ask(path)
        after = self._ask(path, 304, If_None_Match=before.etag)
        require_equal("304 with the same tag", after.status == http.HTTPStatus.NOT_MODIFIED, after.etag == before.etag)
        require_equal("no body with 304", after.status == http.HTTPStatus.NOT_MODIFIED, not after.body)

    def csv_table(self) -> None:
        """Check the CSV of a summary's days."""
        range_, zone = self._rng.choice(RANGES), quote(self._rng.choice(self._zones))
        answer = self._ask(f"{SUMMARY}?range={range_}&timezone={zone}", Accept="text/csv")
        self._require_growth(range_, check_csv_table(answer.body.decode(), range_))

    def feed(self) -> None:
        """Check that a walk to the end and back finds every event that existed at its start, once and in order."""
        zone = quote(self._rng.choice(self._zones))
        known = check_summary(self._ask(f"{SUMMARY}?range=90d&timezone={zone}").data) // (PARTS * PART_CREDITS)
        start = f"{ACTIVITY}?range=90d&timezone={zone}"
        forth, end = self._walk(start, "next", f"{start}&limit={self._rng.choice(_PAGE_SIZES)}")
        found = complete_batches(forth)
        if self._workspace.only_grows and len(found) < known:
            raise TornError(f"a walk found {len(found)} of {known} batches")
        if end["prev"] and self._rng.random() < _WALK_BACK_SHARE:
            back, _ = self._walk(start, "prev", f"{start}&limit=100&cursor={end['prev']}")
            lost = found - complete_batches([*back[::-1], *forth[-end["size"] :]])
            if self._workspace.only_grows and lost:
                raise TornError(f"a walk back lost {len(lost)} batches, such as {min(lost)}")

    def _walk(self, start: str, direction: str, path: str) -> tuple[list[Any], Any]:
        """Follow `next` or `prev` links to the end.

        Args:
            start: the feed's path with the query that all pages share.
            direction: `next` (newest event first) or `prev` (oldest first).
            path: the first page.

        Returns:
            The events, and the last page's `pagination` with its number of events as `size`.

        Raises:
            TornError: an event is repeated or out of order.
        """
        events: list[Any] = []
        while True:
            page = self._ask(path).whole
            events += page["data"] if direction == "next" else page["data"][::-1]
            cursor = page["pagination"][direction]
            if cursor is None:
                break
            path = f"{start}&limit={self._rng.choice(_PAGE_SIZES)}&cursor={cursor}"
        places = [(event["timestamp"].removesuffix("Z"), event["id"]) for event in events]
        in_order = sorted(set(places), reverse=direction == "next")
        if places != in_order:
            raise TornError(
                f"a walk along {direction}: {len(places)} events, {len(in_order)} distinct, or out of order"
            )
        return events, page["pagination"] | {"size": len(page["data"])}

    def _require_growth(self, range_: str, used: int) -> None:
        """Check that the credits of a range are complete batches, and not fewer of them than before.

        The shortest range contains two of a batch's three parts, the others contain all.
        """
        parts = PARTS - (range_ == RANGES[0])
        require_equal("complete batches", used % (parts * PART_CREDITS), 0)
        batches = used // (parts * PART_CREDITS)
        if self._workspace.only_grows and batches < self._batches:
            raise TornError(f"{batches} batches after there were {self._batches}")
        self._batches = batches


def main() -> None:
    """Query until stdin is closed."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    over = threading.Event()
    findings = Findings({}, [], [])

    def read(number: int) -> None:
        rng = random.Random(f"{task.seed}-{number}")  # noqa: S311 - not for cryptography
        workspace = task.workspaces[number % len(task.workspaces)]
        client = Client(task.urls[number % len(task.urls)], workspace.key, task.patience)
        reader = ConsistencyReader(client, workspace, rng, findings)
        while not over.is_set() and len(findings.errors) < _MOST_ERRORS:
            reader.check()
        client.close()
        findings.milliseconds += client.milliseconds

    threads = [threading.Thread(target=read, args=(number,)) for number in range(task.threads)]
    for thread in threads:
        thread.start()
    sys.stdin.buffer.read()
    over.set()
    for thread in threads:
        thread.join()
    sys.stdout.buffer.write(msgspec.json.encode(findings))


if __name__ == "__main__":
    main()
