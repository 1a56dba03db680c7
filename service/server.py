"""The service as processes: checks what can be checked before, and starts the workers."""

import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.contract.directory import DirectoryError
from pipeline.contract.location import Location
from pipeline.contract.settings import SettingError, Settings
from service.api.routes import PAGE
from service.application import create_app
from service.auth.directory import DirectoryReader
from service.auth.session_tokens import TokenVerifier
from service.http.rate_limit import open_store
from service.http.stopping import Stopping
from service.serving.listener import address, open_listeners
from service.serving.supervisor import Supervisor
from service.serving.worker import Link, Worker
from service.tables.opened import shared_folder
from service.telemetry.logs import RequestLog, configure_logs
from service.telemetry.shared_counters import CounterMemory


def serve(listeners: list[socket.socket], settings: Settings, now: int | None) -> None:
    """Serve until stopped by a signal.

    Args:
        listeners: listen where the settings say, one for each worker.
        settings: where the data are, and where everything else comes from.
        now: the instant of every request, to reproduce an answer; None for the real time. With a fixed
            instant, the minute of the rate limits never ends.

    Raises:
        DirectoryError: a directory file is broken.
        SettingError: the setting of the JWKS, of the rate limit store or of the cache cannot be used.
    """
    with shared_folder(settings) as shared:  # errors are reported here once, not by every worker
        if not isinstance(settings.data, Location):  # the client of an object store must not be there before a fork
            DirectoryReader(settings.data)
        TokenVerifier(settings)
        open_store(settings.rate_limit_store)
        memory = CounterMemory(len(listeners))
        load = partial(_load, settings, now, memory, shared)
        page = f"{settings.path_prefix}{PAGE}" if settings.page and not settings.socket else ""
        announce = partial(_announce, address(settings.host, listeners[0]), page)
        Supervisor(listeners, load, announce, memory.count_restart).run()


def listen(host: str, port: int, workers: int, load: Callable[[], Callable[..., Any]]) -> None:
    """Serve any application, as the service is served, until stopped by a signal.

    Args:
        host: address to listen on.
        port: 0 means any free port.
        workers: number of processes.
        load: returns the application; called in every worker.

    Raises:
        PortError: the address cannot be listened on.
    """
    listeners = open_listeners(host, port, workers)
    announce = partial(_announce, address(host, listeners[0]))

    def loaded(place: int, link: Link) -> Worker:
        return Worker(load(), place, Stopping(), link, lambda: None)

    Supervisor(listeners, loaded, announce, lambda _: None).run()


def _announce(where: str, page: str = "") -> None:
    if page:
        sys.stderr.write(f"usage page at {where}{page}\n")
    sys.stderr.write(f"listening on {where} (stop with Ctrl-C)\n")
    sys.stderr.flush()


def _load(settings: Settings, now: int | None, memory: CounterMemory, shared: Path, place: int, link: Link) -> Worker:
    """Return the application of a worker; called in its process."""
    configure_logs()
    clock = (lambda: time.time_ns() // 1000) if now is None else (lambda: now)
    stopping, log = Stopping(), RequestLog()
    try:
        app = create_app(settings, clock, memory.part(place), log, stopping=stopping, shared=shared)
    except (DirectoryError, SettingError) as error:  # it was right when the service started
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    return Worker(app, place, stopping, link, log.close)
