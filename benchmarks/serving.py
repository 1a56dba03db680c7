"""Start servers as processes, query them once, or load them with `wrk` from another process.

`wrk` is not on PyPI; Debian has a package.
"""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

CONNECTIONS: Final = 16
_PAUSE_SECONDS: Final = 0.001
_LISTENING: Final = re.compile(r"listening on (http://\S+)").search
_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}

# A `wrk` script that requests the given paths in random order.
_SCRIPT: Final = """
local paths = {PATHS}
math.randomseed(1)
request = function() return wrk.format("GET", paths[math.random(#paths)]) end
"""


class Load(msgspec.Struct, frozen=True):
    """The result of a load test."""

    rate: float  # answers per second
    p50: float  # latency in milliseconds
    p99: float
    errors: int  # statuses other than 2xx and 3xx, and socket errors
    refused: int = 0  # other statuses than 2xx and 3xx


class Process(msgspec.Struct, frozen=True):
    """A server that is ready to answer."""

    url: str
    pid: int


@contextmanager
def served(
    data: Path | str, now: str | None, *, workers: int = 1, port: int = 0, settings: Mapping[str, str] = {}
) -> Iterator[Process]:
    """Run `usage serve`.

    Args:
        data: the data folder, or its address.
        now: fixes the clock of the service at an instant.
        workers: how many processes answer.
        port: 0 means any free one.
        settings: environment variables, besides those of this process.
    """
    usage = str(Path(sys.executable).with_name("usage"))
    clock = [] if now is None else ["--now", now]
    options = ["--data-dir", str(data), "--port", str(port), "--workers", str(workers), *clock]
    with _listening([usage, "serve", *options], settings) as found:
        yield found


@contextmanager
def static(size: int, *, workers: int = 1) -> Iterator[Process]:
    """Run the application whose answer is `size` fixed bytes."""
    with _listening([sys.executable, "-m", "benchmarks.static", str(size), "--workers", str(workers)]) as found:
        yield found


@contextmanager
def _listening(command: Sequence[str], settings: Mapping[str, str] = {}) -> Iterator[Process]:
    # The log goes to a file, as in production; reading it from a pipe would cost time that is measured.
    with tempfile.NamedTemporaryFile() as log, Path(log.name).open() as lines:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | settings)  # noqa: S603 - our own
        try:
            while process.poll() is None:
                if match := _LISTENING(lines.readline()):
                    yield Process(match.group(1), process.pid)
                    return
                time.sleep(_PAUSE_SECONDS)  # else this loop would take a core from the starting server
            raise SystemExit(f"{' '.join(command)} ended:\n{Path(log.name).read_text()}")
        finally:
            process.terminate()
            process.wait()


def ask(server: Process, path: str, key: str) -> tuple[float, bytes]:
    """Send one request on a new connection; return the milliseconds it took and the body.

    Raises:
        SystemExit: the status is not 200.
    """
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


def load(
    url: str,
    paths: Sequence[str] = ("/",),
    *,
    seconds: int,
    headers: Sequence[str] = (),
    connections: int = CONNECTIONS,
) -> Load:
    """Request the paths in random order, on all connections, for some seconds.

    Raises:
        SystemExit: `wrk` is not installed.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is not installed; Debian: apt install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.replace("PATHS", ",".join(map(json.dumps, paths))))
        script.flush()
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script.name]
        command += [part for header in headers for part in ("-H", header)]
        text = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout  # noqa: S603 - a tool
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: (.*)", text)
    return Load(
        rate=float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0]),
        p50=_percentile(text, "50%"),
        p99=_percentile(text, "99%"),
        refused=int(refused.group(1) if refused else 0),
        errors=int(refused.group(1) if refused else 0)
        + sum(map(int, re.findall(r"\d+", broken.group(1) if broken else ""))),
    )


def _percentile(text: str, name: str) -> float:
    number, unit = re.findall(rf"{name}\s+([\d.]+)(us|ms|s)", text)[0]
    return float(number) * _UNITS[unit]
