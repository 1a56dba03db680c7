"""The command `usage`: the pipeline's commands and `usage serve`.

What serving needs is imported by `serve` alone, so that `usage run` starts without it.
"""

import gc
import os
import sys
from contextlib import suppress
from typing import Annotated, Final

import typer

from pipeline.commands.app import app
from pipeline.commands.options import DataDir, Now, instant, settings
from pipeline.startup import start_lean

_MOST_PORTS = 65_535

_USUAL_GARBAGE: Final = gc.get_threshold()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, else USAGE_HOST.", show_default=False)] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=_MOST_PORTS, help="Port to listen on, 0 for a free one, else USAGE_PORT.", show_default=False
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve.")] = 1,
    debug: Annotated[
        bool | None, typer.Option("--debug", help="Add `Server-Timing` to every answer, else USAGE_DEBUG.")
    ] = None,
    data_dir: DataDir = None,
    now: Now = None,
) -> None:
    """Serve the usage API over HTTP until stopped."""
    from pipeline.contract.directory import DirectoryError
    from pipeline.contract.settings import SettingError
    from service.server import PortError
    from service.server import serve as serve_until_stopped

    gc.set_threshold(*_USUAL_GARBAGE)  # answers leave some behind, which would be 110 MiB of a worker's memory
    found = settings(data_dir=data_dir, host=host, port=port, debug=debug)
    try:
        serve_until_stopped(found, workers, None if now is None else instant(now))
    except (PortError, DirectoryError, SettingError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """Run the command line."""
    start_lean()
    try:
        app()
    except SystemExit as end:
        _end(end.code)
        raise


def _end(code: object) -> None:
    """End the process: to take the interpreter down first takes up to a sixth of a short run, and nothing asks for it.

    Returns where something cannot be written, which the interpreter reports.
    """
    if isinstance(code, int | None):
        with suppress(OSError, ValueError):
            for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it was closed from the beginning
                stream.flush()
            os._exit(code or 0)
