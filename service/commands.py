"""The command `usage`: the pipeline's commands and `usage serve`.

What serving needs is imported by `serve` alone, so that `usage run` starts without it.
"""

import atexit
import gc
import os
from typing import Annotated, Final

import typer

from pipeline.commands import app
from pipeline.commands.options import DataDir, Now, instant, settings

_MOST_PORTS = 65_535

# So many new objects between two looks for garbage, not 700: nearly all that a command makes while it starts stays.
_GARBAGE_AFTER: Final = 50_000
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
    from pipeline.settings import SettingError
    from service.directory import DirectoryError
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
    # Its other threads, for which numpy has no work here, would keep a core busy at the start of every process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(_GARBAGE_AFTER)
    atexit.register(gc.freeze)  # looking once more at the end takes a tenth of a short run, and frees what ends anyway
    app()
