"""`usage serve`: serve the API and the page over HTTP until a signal stops it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.options import add_data_dir, add_now, instant, refuse, settings
from pipeline.commands.parser import Parser, whole_number
from pipeline.contract.settings import MOST_PORTS, MOST_WORKERS
from pipeline.streams import note

if TYPE_CHECKING:
    import socket as sockets

    from pipeline.contract.settings import Settings


def options(parser: Parser) -> None:
    """Add the options of `usage serve`."""
    parser.add_argument("--host", metavar="ADDRESS", help="Address to listen on (default: USAGE_HOST).")
    parser.add_argument(
        "--port",
        type=whole_number(0, MOST_PORTS),
        metavar="PORT",
        help="Port to listen on, 0 for a free one (default: USAGE_PORT).",
    )
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help="Unix socket to listen on instead (default: USAGE_SOCKET)."
    )
    parser.add_argument(
        "--workers",
        type=whole_number(1, MOST_WORKERS),
        default=1,
        metavar="N",
        help="Processes that serve (default: 1).",
    )
    parser.add_argument(
        "--debug",
        action="store_const",
        const=True,
        help="Add `Server-Timing` to every answer (default: USAGE_DEBUG).",
    )
    add_data_dir(parser)
    add_now(parser)


def command(
    *,
    host: str | None,
    port: int | None,
    socket: Path | None,
    workers: int,
    debug: bool | None,
    data_dir: str | None,
    now: str | None,
) -> None:
    """Serve the usage API over HTTP until stopped."""
    from pipeline.contract.directory import DirectoryError
    from pipeline.contract.settings import SettingError
    from service.serving.listener import PortError

    found = settings(data_dir=data_dir, host=host, port=port, socket=socket, debug=debug)
    if found.socket and (host is not None or port is not None):
        refuse("--host and --port do not go with a Unix socket (--socket, USAGE_SOCKET): leave out one or the other")
    moment = None if now is None else instant(now)
    try:
        # Before the imports, which take most of the start: whoever comes meanwhile waits instead of being refused.
        with _listening(found, workers) as listeners:
            from service.server import serve as serve_until_stopped

            serve_until_stopped(listeners, found, moment)
        sys.stderr.flush()
        os._exit(0)  # the interpreter takes a while to end, and the next service waits for that
    except (PortError, DirectoryError, SettingError) as error:
        note(f"error: {error}")
        raise SystemExit(1) from None


@contextmanager
def _listening(found: "Settings", workers: int) -> "Iterator[list[sockets.socket]]":
    """Listen where the settings say, with a socket for each worker; at the end nothing of them is left."""
    from service.serving.listener import open_listeners
    from service.serving.unix_socket import open_unix, remove_unused

    listeners = [open_unix(found.socket)] * workers if found.socket else open_listeners(found.host, found.port, workers)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()
        if found.socket:
            remove_unused(found.socket)
