"""Attack a service as a stranger can, beside a client that asks as usual; exit 1 if client or memory suffers.

    python -m benchmarks.attacks [NAME ...] [--seconds 60] [--connections 2000] [--workers 1]

Each attack of `benchmarks.attackers` in turn, or those named, meets a service of its own. The client asks twenty times
a second, in turn on a kept and on a new connection. It must be answered within 100 ms (p99), and no worker may take
300 MB.
"""

import argparse
import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from benchmarks.attackers import ATTACKS
from benchmarks.data_folders import event, make_folder, readers
from benchmarks.measuring import family, resident_kib
from benchmarks.serving import Process, served

MOST_MS: Final = 100
MOST_MB: Final = 300
_SUMMARY: Final = "/api/v1/usage/summary"
_EVENTS: Final = 2000
_PAUSE_SECONDS: Final = 0.05
_TIMEOUT_SECONDS: Final = 5
_ROOT: Final = Path(__file__).parents[1]


class Suffered(msgspec.Struct):
    """What a client and the workers met during an attack."""

    name: str
    milliseconds: list[float] = msgspec.field(default_factory=list)
    failures: list[str] = msgspec.field(default_factory=list)
    before_mb: float = 0
    most_mb: float = 0
    open: str = ""  # connections of the attacker at the end

    def percentile(self, share: float) -> float:
        """Return the latency in milliseconds that this share of the answers kept."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("inf")

    @property
    def well(self) -> bool:
        """Return whether client and memory are as promised."""
        return not self.failures and self.percentile(0.99) <= MOST_MS and self.most_mb < MOST_MB

    def line(self) -> str:
        """Return the row of the printed table."""
        return (
            f"{self.name:<16} {len(self.milliseconds):7,} {self.percentile(0.5):7.1f} {self.percentile(0.99):7.1f}"
            f" {self.percentile(1):7.1f} {self.before_mb:7.0f} {self.most_mb:7.0f} {self.open:>6}"
            f" {'' if self.well else 'SUFFERS ' + '; '.join(self.failures[:1])}"
        )


HEADING: Final = f"{'attack':<16} {'answers':>7} {'p50 ms':>7} {'p99':>7} {'max':>7} {'MB':>7} {'most':>7} {'open':>6}"


def suffer(name: str, server: Process, key: str, seconds: float, connections: int) -> Suffered:
    """Attack a service for some seconds, and measure a client and the workers meanwhile."""
    found = Suffered(name)
    client = _Client(server, key)
    for _ in range(4):
        client.ask(found)
    found.milliseconds.clear()
    found.before_mb = _largest_mb(server)
    command = [sys.executable, "-m", "benchmarks.attackers", name, server.url, str(connections), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as attacker:  # noqa: S603 - our own
        while attacker.poll() is None:
            client.ask(found)
            found.most_mb = max(found.most_mb, _largest_mb(server))
            time.sleep(_PAUSE_SECONDS)
        found.open = attacker.stdout.read().strip() if attacker.stdout else ""
    if attacker.returncode:
        found.failures.append(f"the attacker exited with {attacker.returncode}")
    client.close()
    return found


class _Client:
    """Asks in turn on a kept connection and on a new one."""

    def __init__(self, server: Process, key: str) -> None:
        self._place = urlsplit(server.url).netloc
        self._headers = {"Authorization": f"Bearer {key}"}
        self._kept = http.client.HTTPConnection(self._place, timeout=_TIMEOUT_SECONDS)
        self._turn = 0

    def ask(self, found: Suffered) -> None:
        """Send a request, and add its latency or its failure to what was found."""
        self._turn += 1
        kept = self._turn % 2 == 1
        connection = self._kept if kept else http.client.HTTPConnection(self._place, timeout=_TIMEOUT_SECONDS)
        start = time.perf_counter()
        try:
            connection.request("GET", _SUMMARY, headers=self._headers)
            reply = connection.getresponse()
            reply.read()
            if reply.status != http.HTTPStatus.OK:
                found.failures.append(f"status {reply.status}")
        except (OSError, http.client.HTTPException) as error:
            found.failures.append(type(error).__name__)
            connection.close()
        found.milliseconds.append((time.perf_counter() - start) * 1000)
        if not kept:
            connection.close()

    def close(self) -> None:
        """Close the kept connection."""
        self._kept.close()


def _largest_mb(server: Process) -> float:
    """Return the resident memory of the largest worker."""
    return max((resident_kib(pid) * 1024 / 1e6 for pid in family(server.pid)[1:]), default=0)


def run(names: Sequence[str], seconds: float, connections: int, workers: int) -> list[Suffered]:
    """Make a data folder and suffer each attack on a service of its own."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        now = time.time_ns() // 1000
        lines = (event(0, str(number), now - number * 60_000_000) for number in range(_EVENTS))
        (key,) = make_folder(Path(folder) / "data", lines, readers(1))
        for name in names:
            with served(Path(folder) / "data", None, workers=workers) as server:
                found.append(suffer(name, server, key, seconds, connections))
            print(found[-1].line(), flush=True)  # noqa: T201
    return found


def main() -> None:
    """Suffer the attacks that the command line names, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ATTACKS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(ATTACKS):
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    print(HEADING)  # noqa: T201
    found = run(asked.names or list(ATTACKS), asked.seconds, asked.connections, asked.workers)
    sys.exit(not all(each.well for each in found))


if __name__ == "__main__":
    main()
