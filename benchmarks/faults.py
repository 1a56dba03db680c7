"""A service whose workers are killed, and which is restarted, while it is under load."""

import os
import random
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final, Self
from urllib.parse import urlsplit

from benchmarks.measuring import family
from benchmarks.serving import served

_DICE: Final = random.Random(1)  # noqa: S311 - a benchmark's dice


class Restartable:
    """A service that keeps its address over restarts.

    Args:
        data: its data folder, or its address.
        workers: number of its workers.
        settings: environment variables.
    """

    def __init__(self, data: str, workers: int, settings: Mapping[str, str]) -> None:
        self._data, self._workers, self._settings = data, workers, settings
        self._running = ExitStack()
        self.url, self.pid = "", 0
        self.kills = self.restarts = 0

    def __enter__(self) -> Self:
        """Start it on a free port."""
        self._start(0)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._running.close()

    def restart(self) -> None:
        """Stop it by SIGTERM and start it again."""
        self._running.close()
        self._start(urlsplit(self.url).port or 0)
        self.restarts += 1

    def kill_worker(self) -> None:
        """Kill one of its workers."""
        os.kill(_DICE.choice(family(self.pid)[1:]), signal.SIGKILL)
        self.kills += 1

    def _start(self, port: int) -> None:
        service = served(self._data, None, workers=self._workers, port=port, settings=self._settings)
        found = self._running.enter_context(service)
        self.url, self.pid = found.url, found.pid
