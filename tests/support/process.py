"""`usage` and `usage serve` as real processes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.project import ROOT

BIN = Path(sys.executable).parent
COMMAND: Final = (sys.executable, "-c", "from service.commands import main; main()")
ENVIRONMENT: Final = {**os.environ, "PYTHONPATH": str(ROOT)}


def wait_until(process: subprocess.Popen[Any], condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail if the process ends before that."""
    while not condition():
        assert process.poll() is None
        time.sleep(0.005)


def start(data_dir: Path, *options: str, **settings: str) -> tuple[subprocess.Popen[str], str]:
    """Start `usage serve`; return the process and its URL once it listens."""
    process = subprocess.Popen(
        [BIN / "usage", "serve", "--port", "0", "--data-dir", data_dir, "--now", "2026-11-24T12:00:00Z", *options],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | settings,
    )
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        match = re.match(r"listening on (http://\S+)", line)
        if match:
            return process, match[1]
    raise AssertionError("".join(seen))


def stop(process: subprocess.Popen[str]) -> str:
    """Stop the service and return the rest of its log."""
    process.send_signal(signal.SIGINT)  # at once
    _, rest = process.communicate(timeout=60)
    return rest


@contextmanager
def running(data_dir: Path, *options: str, **settings: str) -> Iterator[str]:
    """Yield the URL of a running service; its log is read and dropped, because a full pipe would block it."""
    process, url = start(data_dir, *options, **settings)
    assert process.stderr is not None
    reading = threading.Thread(target=lambda lines: [None for _ in lines], args=(process.stderr,))
    reading.start()
    try:
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # at once
        process.wait(timeout=60)
        reading.join()
        process.stderr.close()
