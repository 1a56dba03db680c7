"""The commands of `usage` that write: one file each, registered here in the order of `usage --help`."""

import typer

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__
)
