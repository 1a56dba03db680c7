"""The commands of `usage`, one file each; `service.commands` adds the one that serves."""

import typer

app = typer.Typer(
    name="usage",
    help="Usage analytics: activity logs in, every workspace's usage out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

# Each registers itself; what it needs to do its work it imports when it is called.
from pipeline.commands import (  # noqa: E402, F401
    check,
    forget,
    keys,
    quarantine,
    retention,
    run,
    sample,
    sql,
    status,
    tz_diff,
)
