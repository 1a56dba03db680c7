"""The command line `usage`: which commands there are, and how the one that is asked for is found and called.

Only the module of that command is imported, so that each command starts without what the others need. Such a module has
`options(parser)`, which adds its options, and `command(…)`, which takes their values by name and does the work.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final, NamedTuple, NoReturn, Protocol, cast

from pipeline.commands.exit_codes import WRONG_USAGE
from pipeline.commands.failures import ending
from pipeline.commands.parser import Parser, ended, unknown
from pipeline.streams import note, show

GROUPS: Final = ("Load", "Look", "Serve", "Keep", "Shell")
_ABOUT: Final = "Usage analytics: logs in, every workspace's usage out."


class CommandModule(Protocol):
    """What the module of a command has."""

    def options(self, parser: Parser, /) -> None:
        """Add the options of the command."""

    command: Callable[..., None]


class Command(NamedTuple):
    """Where a command is in the help and in the code; its name is that of `Commands`."""

    group: str
    summary: str
    module: str


Commands = Mapping[str, Command]

# By name, which may have two words, in the order of the help.
COMMANDS: Final[dict[str, Command]] = {
    "run": Command("Load", "Load new raw logs and publish the results", "pipeline.commands.run"),
    "quarantine": Command("Load", "Show, export or retry rejected lines", "pipeline.commands.quarantine"),
    "sample": Command("Load", "Write sample logs to try everything with", "pipeline.commands.sample"),
    "try": Command("Load", "Say what a load would make of files", "pipeline.commands.try_files"),
    "map": Command("Load", "Turn foreign files into lines of the log", "pipeline.commands.map_files"),
    "status": Command("Look", "Show what is published and what waits", "pipeline.commands.status"),
    "workspaces": Command("Look", "List the workspaces, and who has gone silent", "pipeline.commands.workspaces"),
    "sql": Command("Look", "Query the tables in SQL", "pipeline.commands.sql"),
    "files": Command("Look", "List the current files of the tables", "pipeline.commands.files"),
    "tz-diff": Command("Look", "Compare two releases of the zone data", "pipeline.commands.tz_diff"),
    "keys create": Command("Serve", "Create an API key and print it", "pipeline.commands.keys.create"),
    "keys list": Command("Serve", "List the API keys", "pipeline.commands.keys.list"),
    "keys revoke": Command("Serve", "Revoke an API key", "pipeline.commands.keys.revoke"),
    "check": Command("Keep", "Check every published number and raw line", "pipeline.commands.check"),
    "retention": Command("Keep", "Erase the days before those that are kept", "pipeline.commands.retention"),
    "forget": Command("Keep", "Erase users or workspaces for good", "pipeline.commands.forget"),
    "completion": Command("Shell", "Print a completion script for a shell", "pipeline.commands.completion"),
}


def run(commands: Commands, arguments: Sequence[str]) -> None:
    """Run the command that the arguments name.

    Raises:
        SystemExit: with the exit code, if it is not 0, or if only help was asked for.
    """
    with ending():
        name, rest = _named(commands, arguments)
        parser, module = parser_of(commands, name)
        if name == "completion":  # the only one that needs to know the others
            module.command(commands=commands, **parser.parse(rest))
        else:
            module.command(**parser.parse(rest))


def parser_of(commands: Commands, name: str) -> tuple[Parser, CommandModule]:
    """Import a command; return the parser of its arguments, and its module."""
    module = cast("CommandModule", import_module(commands[name].module))
    parser = Parser(f"usage {name}", module.command.__doc__ or "")
    module.options(parser)
    return parser, module


def _named(commands: Commands, arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the name of the command, of one word or two, and the arguments behind it; exit if only help is wanted."""
    if not arguments:
        note(_help(commands))
        raise SystemExit(WRONG_USAGE)
    first = arguments[0]
    if first in {"-h", "--help"}:
        show(_help(commands))
        raise SystemExit
    if first == "--version":
        show(_version())
        raise SystemExit
    if first in commands:
        return first, arguments[1:]
    family = {name: command for name, command in commands.items() if name.startswith(f"{first} ")}
    if not family:
        _refuse("usage", first, sorted({name.split()[0] for name in commands}))
    second = arguments[1] if len(arguments) > 1 else ""
    if f"{first} {second}" in family:
        return f"{first} {second}", arguments[2:]
    if second in {"-h", "--help"}:
        show(_family_help(first, family))
        raise SystemExit
    if second:
        _refuse(f"usage {first}", second, [name.split()[1] for name in family])
    note(_family_help(first, family))
    raise SystemExit(WRONG_USAGE)


def _refuse(prefix: str, given: str, known: Sequence[str]) -> NoReturn:
    message = unknown("option" if given.startswith("-") else "command", given, known)
    note(f"{ended(message)} `{prefix} --help` lists all commands.")
    raise SystemExit(WRONG_USAGE)


def _help(commands: Commands) -> str:
    lines = ["Usage: usage [-h] [--version] COMMAND …", "", _ABOUT]
    for group in GROUPS:
        lines += ["", group, *_rows({name: one for name, one in commands.items() if one.group == group}, commands)]
    lines += [
        "",
        "Options",
        "  -h, --help   Show this help, or that of a command",
        "  --version    Show which release this is",
    ]
    return "\n".join(lines)


def _family_help(first: str, family: Commands) -> str:
    return "\n".join([f"Usage: usage {first} [-h] COMMAND …", "", *_rows(family, family)])


def _rows(shown: Commands, commands: Commands) -> list[str]:
    width = max(map(len, commands))
    return [f"  {name:{width}}  {command.summary}" for name, command in shown.items()]


def _version() -> str:
    import platform
    from importlib.metadata import version

    return (
        f"workspace-usage {version('workspace-usage')} (Python {platform.python_version()},"
        f" DuckDB {version('duckdb')}, PyArrow {version('pyarrow')}, tzdata {version('tzdata')})"
    )
