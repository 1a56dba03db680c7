"""The command line `usage`, to which every command adds itself."""

import typer

app = typer.Typer(
    name="usage",
    help="Usage analytics: activity logs in, every workspace's usage out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
