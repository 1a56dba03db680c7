"""An object store and a cluster on loopback, with the processor time and the requests that commands take of them.

Starts SeaweedFS and Dask's own scheduler and workers as processes, as the tests do.
"""

import os
import re
import secrets
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import measuring
from benchmarks.measuring import family
from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from tests.support.dask_cluster import Cluster, cluster
from tests.support.object_servers import BUCKET, ENVIRONMENT, seaweedfs
from tests.support.project import ROOT

USAGE: Final = str(Path(sys.executable).with_name("usage"))
WORKERS: Final = 2
_REQUESTS: Final = re.compile(r'SeaweedFS_s3_request_total\{.*type="([A-Z]+)"\} (\d+)').findall
_TRAFFIC: Final = re.compile(r"SeaweedFS_s3_bucket_traffic_(?:received|sent)_bytes_total\{.*\} (\S+)").findall


class Taken(msgspec.Struct, frozen=True):
    """What a command took.

    Attributes:
        wall: seconds from its start to its end.
        cpu: processor time in seconds, of the command, its children and the cluster.
        store: processor time of the object store in seconds.
        requests: to the object store, by kind.
        traffic: bytes from and to the object store.
    """

    wall: float
    cpu: float
    store: float
    requests: dict[str, int]
    traffic: int


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has taken so far, with its threads, also those that have ended."""
    return time.clock_gettime((~pid << 3) | 2)  # as Linux names the clock of another process


class Place:
    """An object store, and a cluster of two workers, which is started when it is first asked for.

    Args:
        folder: for their data.
        stack: ends them.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        store = folder / "store"
        store.mkdir()
        self.endpoint = stack.enter_context(seaweedfs(store, port))
        self._metrics = f"http://127.0.0.1:{port}/metrics"
        (self._store,) = (pid for pid in family(os.getpid()) if _name(pid) == "weed")

    @cached_property
    def cluster(self) -> Cluster:
        """Return the cluster."""
        folder = self._folder / "cluster"
        folder.mkdir()
        return self._stack.enter_context(cluster(folder, WORKERS, PYTHONPATH=str(ROOT)))

    def location(self, name: str = "") -> Location:
        """Return a new location."""
        return Location(BUCKET, f"{name or 'data'}-{secrets.token_hex(4)}", self.endpoint)

    def upload(self, folder: Path, location: Location) -> None:
        """Put the files of a folder below a location."""
        client = Client(location)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            client.replace(path.relative_to(folder).as_posix(), path.read_bytes(), None)

    def remove(self, location: Location) -> None:
        """Delete everything below a location."""
        client = Client(location)
        client.delete(found.key for found in client.list())

    def run(self, *arguments: str, **settings: str) -> Taken:
        """Run `usage` with these arguments and environment variables.

        Raises:
            CalledProcessError: it fails.
        """
        requests, traffic = self._counts()
        store, workers = processor_seconds(self._store), self._workers()
        cost = measuring.run(
            ["env", *(f"{name}={value}" for name, value in settings.items()), USAGE, *arguments], quiet=False
        )
        return Taken(
            wall=cost.wall_seconds,
            cpu=cost.cpu_seconds + self._workers() - workers,
            store=processor_seconds(self._store) - store,
            requests={kind: count - requests.get(kind, 0) for kind, count in self._counts()[0].items()},
            traffic=self._counts()[1] - traffic,
        )

    def _workers(self) -> float:
        if "cluster" not in vars(self):
            return 0
        return sum(processor_seconds(one.pid) for one in [*self.cluster.workers, self.cluster.scheduler])

    def _counts(self) -> tuple[dict[str, int], int]:
        with urllib.request.urlopen(self._metrics) as answer:  # noqa: S310 - http on loopback
            text = answer.read().decode()
        found: dict[str, int] = {}
        for kind, count in _REQUESTS(text):
            found[kind] = found.get(kind, 0) + int(count)
        return found, int(sum(map(float, _TRAFFIC(text))))


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Start an object store; commands of this process find it by their environment."""
    before = dict(os.environ)
    with ExitStack() as stack:
        found = Place(folder, stack)
        try:
            os.environ.update(ENVIRONMENT, USAGE_S3_ENDPOINT=found.endpoint, PYTHONPATH=str(ROOT))
            Client(found.location()).replace("first", b"", None)  # creates the bucket
            yield found
        finally:
            os.environ.clear()
            os.environ.update(before)


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
