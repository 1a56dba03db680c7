"""The command `usage`: the pipeline's commands and `usage serve`.

What serving needs is imported by `serve` alone, so that `usage run` starts without it.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline import formats
from pipeline.commands import app
from pipeline.settings import SettingError, Settings


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, else USAGE_HOST.", show_default=False)] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="Port to listen on, 0 for a free one, else USAGE_PORT.", show_default=False
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve.")] = 1,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="The data folder, else USAGE_DATA_DIR.", show_default=False)
    ] = None,
    now: Annotated[
        str | None,
        typer.Option(help="Answer as if it were this RFC 3339 instant, to reproduce an answer.", show_default=False),
    ] = None,
) -> None:
    """Serve the usage API over HTTP until stopped."""
    from service.directory import DirectoryError
    from service.server import PortError
    from service.server import serve as serve_until_stopped

    settings = Settings.read(os.environ, data_dir=data_dir, host=host, port=port)
    try:
        serve_until_stopped(settings, workers, _instant(now))
    except (PortError, DirectoryError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """Run the command line."""
    try:
        app()
    except SettingError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


def _instant(text: str | None) -> int | None:
    try:
        return None if text is None else formats.instant(text)
    except formats.FormatError:
        raise typer.BadParameter(f"{text!r} is no RFC 3339 instant", param_hint="--now") from None
