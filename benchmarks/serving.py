"""Servers under load: started as processes, asked by `wrk` from another process, as many answers a second.

`wrk` is not on PyPI; Debian has it as a package.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

CONNECTIONS: Final = 16
_PAUSE_SECONDS: Final = 0.001
_LISTENING: Final = re.compile(r"listening on (http://\S+)").search
_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}

# Asks for the given paths in no order, each request for another one.
_SCRIPT: Final = """
local paths = {PATHS}
math.randomseed(1)
request = function() return wrk.format("GET", paths[math.random(#paths)]) end
"""


class Load(msgspec.Struct, frozen=True):
    """What a server bore: answers a second, latencies in milliseconds, and answers that were none."""

    rate: float
    p50: float
    p99: float
    errors: int


class Process(msgspec.Struct, frozen=True):
    """A server that answers."""

    url: str
    pid: int


@contextmanager
def served(data: Path, now: str | None, *, workers: int = 1) -> Iterator[Process]:
    """Run `usage serve` on a data folder, at an instant or in real time."""
    usage = str(Path(sys.executable).with_name("usage"))
    clock = [] if now is None else ["--now", now]
    with _listening(
        [usage, "serve", "--data-dir", str(data), "--port", "0", "--workers", str(workers), *clock]
    ) as found:
        yield found


@contextmanager
def static(size: int, *, workers: int = 1) -> Iterator[Process]:
    """Run the application that returns as many fixed bytes."""
    with _listening([sys.executable, "-m", "benchmarks.static", str(size), "--workers", str(workers)]) as found:
        yield found


@contextmanager
def _listening(command: Sequence[str]) -> Iterator[Process]:
    # The log goes to a file, as it does in service: a pipe that is read by this process would be measured too.
    with tempfile.NamedTemporaryFile() as log, Path(log.name).open() as lines:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own
        try:
            while process.poll() is None:
                if match := _LISTENING(lines.readline()):
                    yield Process(match.group(1), process.pid)
                    return
                time.sleep(_PAUSE_SECONDS)  # without which the server would start with a core less
            raise SystemExit(f"{' '.join(command)} ended:\n{Path(log.name).read_text()}")
        finally:
            process.terminate()
            process.wait()


def load(
    url: str,
    paths: Sequence[str] = ("/",),
    *,
    seconds: int,
    headers: Sequence[str] = (),
    connections: int = CONNECTIONS,
) -> Load:
    """Ask for the paths again and again."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is needed: apt install wrk")
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
        errors=int(refused.group(1) if refused else 0)
        + sum(map(int, re.findall(r"\d+", broken.group(1) if broken else ""))),
    )


def _percentile(text: str, name: str) -> float:
    number, unit = re.findall(rf"{name}\s+([\d.]+)(us|ms|s)", text)[0]
    return float(number) * _UNITS[unit]
