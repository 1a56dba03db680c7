"""The service put together: a Litestar application with the handlers, and the front as middleware around it."""

import time
from collections.abc import Callable
from pathlib import Path

from litestar import Litestar

from pipeline.contract.settings import Settings
from service.auth.directory import DirectoryReader
from service.auth.session_tokens import TokenVerifier
from service.http.cors import Cors
from service.http.front import Front
from service.http.handlers import DEPENDENCIES, ROUTE_HANDLERS, ServiceState, raise_to_front
from service.http.rate_limit import RateLimiter, open_store
from service.http.stopping import Stopping
from service.page.site import Site
from service.tables.opened import open_source
from service.tables.snapshots import Snapshots
from service.telemetry.logs import RequestLog
from service.telemetry.metrics import Metrics
from service.telemetry.shared_counters import SharedCounters


def create_app(
    settings: Settings,
    clock: Callable[[], int],
    counters: SharedCounters | None = None,
    log: RequestLog | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    stopping: Stopping | None = None,
    shared: Path | None = None,
) -> Front:
    """Return the ASGI application that serves one data folder, or what one object store has.

    Args:
        settings: where the data are, the source of session keys, the rate limit store and the debug flag.
        clock: returns the time in microseconds UTC; called once a request.
        counters: this worker's part of what the workers of one service share; None if there is only one worker.
        log: where requests are logged; None for stderr.
        monotonic: the clock that the age of the directory and of session keys is measured by, in seconds.
        stopping: set when this worker is about to end; None if it never is.
        shared: what `opened.shared_folder` has made; None for the data folder.

    Raises:
        DirectoryError: a directory file of the data folder is broken.
        SettingError: the source of session keys or the rate limit store cannot be used.
    """
    shared = shared or settings.data_dir
    snapshots = Snapshots(open_source(settings, shared))
    directory = DirectoryReader(shared, monotonic, copied_from=settings.directory_address)
    if not settings.directory_address:
        directory.warn_of_empty_files()
    tokens = TokenVerifier(settings, monotonic)
    metrics = Metrics(snapshots, clock, counters)
    log = log or RequestLog()
    stopping = stopping or Stopping()
    app = Litestar(
        ROUTE_HANDLERS,
        dependencies=DEPENDENCIES,
        state=ServiceState(
            {"snapshots": snapshots, "metrics": metrics, "stopping": stopping, "prefix": settings.path_prefix}
        ),
        lifespan=[tokens],
        on_shutdown=[log.close, snapshots.close],
        exception_handlers={Exception: raise_to_front},
        openapi_config=None,
        logging_config=None,
    )
    return Front(
        app,
        directory=directory,
        tokens=tokens,
        snapshots=snapshots,
        site=Site(page=settings.page, origins=settings.embed_origins, prefix=settings.path_prefix),
        clock=clock,
        limiter=RateLimiter(open_store(settings.rate_limit_store)),
        metrics=metrics,
        log=log,
        cors=Cors(settings.cors_origins) if settings.cors_origins else None,
        prefix=settings.path_prefix,
        debug=settings.debug,
        stopping=stopping,
    )
