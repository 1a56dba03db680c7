"""Restart a service under the load of the published client; exit 1 on any exception that its caller would see.

    python -m benchmarks.restarts [--times 20] [--clients 8] [--workers 1]

The client is the SDK as published: synchronous, with its own retries, one for each thread. Each restart is a SIGTERM,
and a start as soon as the service has ended. A probe on new connections measures how long nobody answers.
"""

import argparse
import http.client
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec
import onepin

from benchmarks.data_folders import event, make_folder, readers
from benchmarks.serving import served
from service.serving.listener import open_listener

MOST_SECONDS: Final = 2.5  # that nobody answers; the client gives up after about 2.7
_UP_SECONDS: Final = 1.5  # between two restarts
_PROBE_SECONDS: Final = 0.02
_SEEN_SECONDS: Final = 0.5  # until the probe has been answered by the next service
_EVENTS: Final = 200


class Restarts(msgspec.Struct):
    """What the clients of a service met that was restarted again and again."""

    answers: int = 0
    exceptions: list[str] = msgspec.field(default_factory=list)
    down_seconds: list[float] = msgspec.field(default_factory=list)  # of each restart

    def lines(self) -> Iterator[str]:
        """Yield the lines of the printed report."""
        down = sorted(self.down_seconds)
        yield f"{self.answers:,} answers over {len(down)} restarts; {len(self.exceptions)} exceptions"
        if down:
            yield f"nobody answered for {down[len(down) // 2]:.2f} s (median), {down[-1]:.2f} s (longest)"
        yield from sorted(set(self.exceptions))[:10]


def restart(data: Path, key: str, times: int, clients: int, workers: int) -> Restarts:
    """Restart the service of a data folder under load."""
    found, over = Restarts(), threading.Event()
    with open_listener("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    probe = _Probe(url, over)
    threads = [threading.Thread(target=_ask, args=(url, key, over, found)) for _ in range(clients)]
    for number in range(times + 1):
        with served(data, None, workers=workers, port=port):
            if number == 0:
                for thread in (probe, *threads):
                    thread.start()
            else:
                time.sleep(_SEEN_SECONDS)
                found.down_seconds.append(probe.longest())
            time.sleep(_UP_SECONDS)
            if number == times:
                over.set()
                for thread in (probe, *threads):
                    thread.join()
    return found


def _ask(url: str, key: str, over: threading.Event, found: Restarts) -> None:
    """Ask with the published client until `over`."""
    with httpx.Client(timeout=30) as connection:
        usage = onepin.OnePinClient(base_url=url, token=key, httpx_client=connection).usage
        while not over.is_set():
            try:
                usage.usage_summary()
                found.answers += 1
            except Exception as error:  # noqa: BLE001 - whatever a caller would see
                found.exceptions.append(f"{type(error).__name__}: {error}")


class _Probe(threading.Thread):
    """Asks on new connections, and remembers the longest time without an answer."""

    def __init__(self, url: str, over: threading.Event) -> None:
        super().__init__()
        self._place, self._over = urlsplit(url).netloc, over
        self._longest = 0.0

    def longest(self) -> float:
        """Return the longest time without an answer since this was last asked for, in seconds."""
        longest, self._longest = self._longest, 0.0
        return longest

    def run(self) -> None:
        """Ask until `over`."""
        last = time.monotonic()
        while not self._over.is_set():
            connection = http.client.HTTPConnection(self._place, timeout=10)
            try:
                connection.request("GET", "/health/live")
                connection.getresponse().read()
                now = time.monotonic()
                self._longest, last = max(self._longest, now - last), now
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(_PROBE_SECONDS)


def main() -> None:
    """Restart as often as the command line says, and print what the clients met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        now = time.time_ns() // 1000
        lines = (event(0, str(number), now - number * 60_000_000) for number in range(_EVENTS))
        (key,) = make_folder(Path(folder) / "data", lines, readers(1))
        found = restart(Path(folder) / "data", key, asked.times, asked.clients, asked.workers)
    print(*found.lines(), sep="\n")  # noqa: T201
    sys.exit(bool(found.exceptions) or max(found.down_seconds) > MOST_SECONDS)


if __name__ == "__main__":
    main()
