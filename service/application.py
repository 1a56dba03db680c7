"""Build the service: a Litestar application that computes data, and the middleware around it.

Reads the settings and the directory; writes nothing.
"""

import time
from collections.abc import Callable
from pathlib import Path

from pipeline.contract.settings import Settings
from service.auth.directory import DirectoryReader
from service.auth.session_tokens import TokenVerifier
from service.http.front import Front
from service.http.handlers import create_handlers
from service.http.rate_limit import RateLimiter, open_store
from service.tables.snapshots import Snapshots
from service.telemetry.logs import RequestLog
from service.telemetry.metrics import Metrics


def create_app(
    settings: Settings,
    clock: Callable[[], int],
    counters_dir: Path | None = None,
    log: RequestLog | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Front:
    """Return the ASGI application that serves one data folder.

    Args:
        settings: the data folder, the source of session keys, the rate limit store and the debug flag.
        clock: returns the time in microseconds UTC; called once a request.
        counters_dir: the folder in which the workers of one service share their counters; None for a single worker.
        log: takes the request lines; None for stderr.
        monotonic: returns seconds; measures the age of the directory and of session keys.

    Raises:
        DirectoryError: a directory file is broken.
        SettingError: the source of session keys or the rate limit store cannot be used.
    """
    snapshots = Snapshots(settings.data_dir)
    metrics = Metrics(snapshots, clock, counters_dir)
    app = create_handlers(snapshots, metrics)
    return Front(
        app,
        directory=DirectoryReader(settings.data_dir, monotonic),
        tokens=TokenVerifier(settings, monotonic),
        snapshots=snapshots,
        clock=clock,
        limiter=RateLimiter(open_store(settings.rate_limit_store)),
        metrics=metrics,
        log=log or RequestLog(),
        debug=settings.debug,
    )
