"""The command `usage`: the pipeline's commands, `usage serve` and `usage report`.

Only these two import what answers need, and only when they are called, so that every other command starts without it.
"""

import os
import sys
from socket import socket
from typing import Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.options import DataDir, Now, instant, settings
from pipeline.commands.streams import guard
from pipeline.contract.settings import MOST_PORTS, MOST_WORKERS
from pipeline.startup import limit_threads
from service.report import command  # noqa: F401 - adds `report` to `app`


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, else USAGE_HOST.", show_default=False)] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=MOST_PORTS, help="Port to listen on, 0 for a free one, else USAGE_PORT.", show_default=False
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=MOST_WORKERS, help="Processes that serve.")] = 1,
    debug: Annotated[
        bool | None, typer.Option("--debug", help="Add `Server-Timing` to every answer, else USAGE_DEBUG.")
    ] = None,
    data_dir: DataDir = None,
    now: Now = None,
) -> None:
    """Serve the usage API over HTTP until stopped."""
    from pipeline.contract.directory import DirectoryError
    from pipeline.contract.settings import SettingError
    from service.serving.listener import PortError, open_listeners

    found = settings(data_dir=data_dir, host=host, port=port, debug=debug)
    moment = None if now is None else instant(now)
    listeners: list[socket] = []
    try:
        # Before the imports, which take most of the start: whoever comes meanwhile waits instead of being refused.
        listeners = open_listeners(found.host, found.port, workers)
        from service.server import serve as serve_until_stopped

        serve_until_stopped(listeners, found, moment)
        sys.stderr.flush()
        os._exit(0)  # the interpreter takes a while to end, and the next service waits for that
    except (PortError, DirectoryError, SettingError) as error:
        typer.echo(f"error: {error}", err=True)
        for listener in listeners:
            listener.close()
        raise typer.Exit(1) from None


def main() -> None:
    """Run the command line."""
    limit_threads()
    guard()
    app()
