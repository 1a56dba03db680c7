"""The command line `usage`, to which every command adds itself."""

from typing import Annotated

import typer

from pipeline.commands.failures import Commands

app = typer.Typer(
    name="usage",
    cls=Commands,
    help="Usage analytics: activity logs in, every workspace's usage out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"color": True},  # else escape sequences are cut out of data for pipes; nothing here has colors
)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    import platform
    from importlib.metadata import version

    typer.echo(
        f"workspace-usage {version('workspace-usage')} (Python {platform.python_version()},"
        f" DuckDB {version('duckdb')}, PyArrow {version('pyarrow')}, tzdata {version('tzdata')})"
    )
    raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show which release this is.")
    ] = False,
) -> None:
    pass
