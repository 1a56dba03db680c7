"""Ask a service while everything changes underneath, and believe nothing of what it answers.

Each answer has to agree with itself, with those beside it on the same connection, and with those before it.

A process of its own with several threads, each on one kept connection, hence with one worker. Takes its task from the
first line of stdin, asks until that is closed, and writes its testimony to stdout.
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

from benchmarks.portions import (
    PART_CREDITS,
    PARTS,
    TornError,
    agree,
    examine_languages,
    examine_sheet,
    examine_summary,
    whole_portions,
)
from pipeline.contract.calendar import RANGES, VIEWS, zone_names

SUMMARY: Final = "/api/v1/usage/summary"
LANGUAGE: Final = "/api/v1/usage/by-language"
ACTIVITY: Final = "/api/v1/usage/activity"
WHOAMI: Final = "/api/v1/auth/whoami"
_PAGES: Final = (7, 20, 100)
_MOST_ERRORS: Final = 20  # are enough
_HALF, _SOME = 0.5, 0.3


class Reader(msgspec.Struct, frozen=True):
    """A key, and whether what its workspace holds only grows."""

    key: str
    grows: bool


class Task(msgspec.Struct, frozen=True):
    """What to ask."""

    url: str
    readers: list[Reader]
    threads: int
    seed: int


class Testimony(msgspec.Struct):
    """What was seen: checks by kind, what was wrong, and how long each answer took in milliseconds."""

    checks: dict[str, int]
    errors: list[str]
    milliseconds: list[float]


class Answer(msgspec.Struct, frozen=True):
    """One answer."""

    status: int
    etag: str
    body: bytes

    @property
    def whole(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """Return what it says."""
        return self.whole["data"]


class Client:
    """One kept connection, hence one worker."""

    def __init__(self, url: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._key = key
        self.milliseconds: list[float] = []

    def ask(self, path: str, *others: int, **headers: str) -> Answer:
        """Ask once.

        Args:
            path: with its query.
            others: statuses besides 200 that are no error.
            headers: by names with `_` for `-`.

        Raises:
            TornError: another status.
        """
        sent = {"Authorization": f"Bearer {self._key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        start = time.perf_counter()
        self._connection.request("GET", path, headers=sent)
        reply = self._connection.getresponse()
        body = reply.read()
        self.milliseconds.append((time.perf_counter() - start) * 1000)
        if reply.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if reply.status not in {200, *others}:
            raise TornError(f"{path}: {reply.status} {body[:300].decode()}")
        return Answer(reply.status, reply.headers.get("ETag", ""), body)

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()


class Witness:
    """Whoever checks what one connection answers."""

    def __init__(self, client: Client, reader: Reader, rng: random.Random, testimony: Testimony) -> None:
        self._client, self._reader, self._rng, self._testimony = client, reader, rng, testimony
        self._zones = sorted(zone_names())
        self._portions = 0

    def check(self) -> None:
        """Check one thing, whichever."""
        checks: list[Callable[[], None]] = [self.figures, self.figures, self.unchanged, self.csv_table, self.feed]
        check = self._rng.choice(checks)
        try:
            check()
            done = self._testimony.checks
            done[check.__name__] = done.get(check.__name__, 0) + 1
        except (TornError, KeyError, ValueError, TypeError, IndexError, OSError, http.client.HTTPException) as error:
            self._testimony.errors.append(f"{check.__name__}: {type(error).__name__}: {error}")
            self._client.close()

    def _ask(self, path: str, *others: int, **headers: str) -> Answer:
        encoding = {"Accept_Encoding": "gzip"} if self._rng.random() < _HALF else {}
        return self._client.ask(path, *others, **headers, **encoding)

    def figures(self) -> None:
        """Summary and usage by language agree, with themselves and, of one state of the tables, with each other."""
        range_, view, zone = self._rng.choice(RANGES), self._rng.choice(VIEWS), quote(self._rng.choice(self._zones))
        first = self._ask(f"{SUMMARY}?range={range_}&activity_view={view}&timezone={zone}")
        by_range = self._ask(f"{LANGUAGE}?range={range_}&timezone={zone}")
        by_view = self._ask(f"{LANGUAGE}?activity_view={view}&timezone={zone}")
        last = self._ask(f"{SUMMARY}?range={range_}&activity_view={view}&timezone={zone}")
        used, in_range, in_view = (
            examine_summary(first.data),
            examine_languages(by_range.data),
            examine_languages(by_view.data),
        )
        if first.etag == last.etag:
            agree("the range by day and by language", used, in_range)
            agree("the view by bucket and by language", first.data["activity"]["total"], in_view)
        self._grows(range_, examine_summary(last.data))

    def unchanged(self) -> None:
        """An answer with a tag that was sent before is 304 with that tag, or another answer with another tag."""
        path = f"{self._rng.choice((SUMMARY, LANGUAGE, ACTIVITY, WHOAMI))}?range={self._rng.choice(RANGES)}"
        before = self._ask(path)
        after = self._ask(path, 304, If_None_Match=before.etag)
        agree("304 with the same tag", after.status == http.HTTPStatus.NOT_MODIFIED, after.etag == before.etag)
        agree("no body with 304", after.status == http.HTTPStatus.NOT_MODIFIED, not after.body)

    def csv_table(self) -> None:
        """The CSV of days agrees with itself."""
        range_, zone = self._rng.choice(RANGES), quote(self._rng.choice(self._zones))
        answer = self._ask(f"{SUMMARY}?range={range_}&timezone={zone}", Accept="text/csv")
        self._grows(range_, examine_sheet(answer.body.decode(), range_))

    def feed(self) -> None:
        """A walk to the end and back finds every event that was there when it began, each once and in order."""
        zone = quote(self._rng.choice(self._zones))
        known = examine_summary(self._ask(f"{SUMMARY}?range=90d&timezone={zone}").data) // (PARTS * PART_CREDITS)
        start = f"{ACTIVITY}?range=90d&timezone={zone}"
        forth, end = self._walk(start, "next", f"{start}&limit={self._rng.choice(_PAGES)}")
        found = whole_portions(forth)
        if self._reader.grows and len(found) < known:
            raise TornError(f"a walk found {len(found)} portions of {known}")
        if end["prev"] and self._rng.random() < _SOME:
            back, _ = self._walk(start, "prev", f"{start}&limit=100&cursor={end['prev']}")
            lost = found - whole_portions([*back[::-1], *forth[-end["size"] :]])
            if self._reader.grows and lost:
                raise TornError(f"a walk back lost {len(lost)} portions, such as {min(lost)}")

    def _walk(self, start: str, direction: str, path: str) -> tuple[list[Any], Any]:
        """Return the events along `next`, or `prev`, newest first or oldest first, and where the walk ended."""
        events: list[Any] = []
        while True:
            page = self._ask(path).whole
            events += page["data"] if direction == "next" else page["data"][::-1]
            cursor = page["pagination"][direction]
            if cursor is None:
                break
            path = f"{start}&limit={self._rng.choice(_PAGES)}&cursor={cursor}"
        places = [(event["timestamp"].removesuffix("Z"), event["id"]) for event in events]
        in_order = sorted(set(places), reverse=direction == "next")
        if places != in_order:
            raise TornError(f"a walk along {direction} of {len(places)} events, {len(in_order)} of them different")
        return events, page["pagination"] | {"size": len(page["data"])}

    def _grows(self, range_: str, used: int) -> None:
        """Demand that a workspace that only grows does; every range holds a portion in another share."""
        parts = PARTS - (range_ == RANGES[0])
        agree("whole portions", used % (parts * PART_CREDITS), 0)
        portions = used // (parts * PART_CREDITS)
        if self._reader.grows and portions < self._portions:
            raise TornError(f"{portions} portions where there were {self._portions}")
        self._portions = portions


def main() -> None:
    """Ask until told to stop."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    over = threading.Event()
    testimony = Testimony({}, [], [])

    def testify(number: int) -> None:
        rng = random.Random(f"{task.seed}-{number}")  # noqa: S311 - a benchmark's dice
        reader = task.readers[number % len(task.readers)]
        client = Client(task.url, reader.key)
        witness = Witness(client, reader, rng, testimony)
        while not over.is_set() and len(testimony.errors) < _MOST_ERRORS:
            witness.check()
        client.close()
        testimony.milliseconds += client.milliseconds

    threads = [threading.Thread(target=testify, args=(number,)) for number in range(task.threads)]
    for thread in threads:
        thread.start()
    sys.stdin.buffer.read()
    over.set()
    for thread in threads:
        thread.join()
    sys.stdout.buffer.write(msgspec.json.encode(testimony))


if __name__ == "__main__":
    main()
