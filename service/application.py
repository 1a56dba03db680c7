"""The service put together: directory, sessions, tables, handlers, front."""

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
    """Return the ASGI application over one data folder.

    Args:
        settings: where the data and the keys of sessions are.
        clock: what time it is, in microseconds UTC; asked once a request.
        counters_dir: where the workers of one service count together; None where there is only one.
        log: where requests are logged; None for stderr.
        monotonic: the clock that the age of the directory and of session keys is measured by, in seconds.

    Raises:
        DirectoryError: a directory file is broken, and there is no good one to keep.
        SettingError: a setting names no source of keys, or no store of rate limits, that can be used.
    """
    snapshots = Snapshots(settings.data_dir)
    metrics = Metrics(snapshots, clock, counters_dir)
    return Front(
        create_handlers(snapshots, metrics),
        DirectoryReader(settings.data_dir, monotonic),
        TokenVerifier(settings, monotonic),
        snapshots,
        clock,
        RateLimiter(open_store(settings.rate_limit_store)),
        metrics,
        log or RequestLog(),
        debug=settings.debug,
    )
