"""The server: granian with one or several worker processes, each with its own application.

It stops on SIGTERM or SIGINT: it accepts no new connection, and answers the requests that have begun.

    PortError  the address cannot be listened on
"""

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from granian.constants import Interfaces
from granian.server import Server

from pipeline.contract.settings import Settings
from service.application import create_app
from service.auth.directory import DirectoryReader
from service.auth.session_tokens import TokenVerifier
from service.http.rate_limit import open_store
from service.telemetry.logs import configure_logs

_POLL_SECONDS: Final = 0.02
_STOP_SECONDS: Final = 20  # longer than any answer takes, shorter than the time a container has to stop

_LOGS: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "WARNING", "propagate": False}},
}


class PortError(Exception):
    """Raised when the address cannot be listened on; the message says why."""


def serve(settings: Settings, workers: int, now: int | None) -> None:
    """Serve until stopped by a signal.

    Args:
        settings: the data folder and the address; port 0 means any free port.
        workers: number of processes.
        now: the instant of every request, to reproduce an answer; None for the real time. With a fixed
            instant, the minute of the rate limits never ends.

    Raises:
        PortError: the address cannot be listened on.
        DirectoryError: a directory file is broken.
        SettingError: the setting of the JWKS or of the rate limit store cannot be used.
    """
    DirectoryReader(settings.data_dir)  # errors are reported here once, not by every worker
    TokenVerifier(settings)
    open_store(settings.rate_limit_store)
    # Outside the data folder, which may be read-only.
    with TemporaryDirectory(prefix="usage-") if workers > 1 else nullcontext() as counters_dir:
        listen(settings.host, settings.port, workers, partial(_load, settings, now, counters_dir))


def listen(host: str, port: int, workers: int, load: Callable[[], Callable[..., Any]]) -> None:
    """Serve an application until stopped by a signal.

    Args:
        host: address to listen on.
        port: 0 means any free port.
        workers: number of processes.
        load: returns the application; called in every worker.

    Raises:
        PortError: the address cannot be listened on.
    """
    port = _claim(host, port)
    server = Server(
        "usage",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        websockets=False,
        workers_kill_timeout=_STOP_SECONDS,
        log_dictconfig=_LOGS,
    )
    threading.Thread(target=_announce, args=(host, port), daemon=True).start()
    server.serve(target_loader=load, wrap_loader=False)


def _load(settings: Settings, now: int | None, counters_dir: str | None) -> Callable[..., Any]:
    """Return the application of a worker; called in its process."""
    configure_logs()
    clock = (lambda: time.time_ns() // 1000) if now is None else (lambda: now)
    return create_app(settings, clock, None if counters_dir is None else Path(counters_dir))


def _claim(host: str, port: int) -> int:
    """Return the port to listen on, after a check that nobody else does: granian would silently share it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections may linger
            probe.bind(address)
            return int(probe.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise PortError(f"cannot listen on {host}:{port}: {error}") from None


def _announce(host: str, port: int) -> None:
    """Print the URL as soon as it accepts connections."""
    while True:
        try:
            with socket.create_connection((host, port), timeout=1):
                break
        except OSError:
            time.sleep(_POLL_SECONDS)
    name = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"listening on http://{name}:{port} (stop with Ctrl-C)\n")
    sys.stderr.flush()
