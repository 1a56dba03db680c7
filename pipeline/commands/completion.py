"""`usage completion`: print a script that completes commands, options and their values in a shell."""

import argparse
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands.parser import Parser, one_of
from pipeline.streams import show

if TYPE_CHECKING:
    from pipeline.commands.app import Command

SHELLS = ("bash", "zsh", "fish")


def options(parser: Parser) -> None:
    """Add the argument of `usage completion`."""
    parser.add_argument("shell", type=one_of(SHELLS), metavar="|".join(SHELLS), help="The shell.")


def command(*, shell: str, commands: "Mapping[str, Command]") -> None:
    """Print a completion script for a shell.

    Make it known to the shell once:

      bash   usage completion bash > ~/.local/share/bash-completion/completions/usage
      zsh    usage completion zsh > ~/.zfunc/_usage, a folder of your fpath
      fish   usage completion fish > ~/.config/fish/completions/usage.fish
    """
    import shtab

    show(shtab.complete(_whole(commands), shell), end="")


def _whole(commands: "Mapping[str, Command]") -> argparse.ArgumentParser:
    """Return a parser of the whole command line."""
    root = Parser("usage")
    root.add_argument("--version", action="store_true", help="Show which release this is.")
    below: dict[str, Any] = {"": root.add_subparsers(parser_class=Parser)}
    for name, about in commands.items():
        *family, last = name.split()
        for first in family:
            if first not in below:
                below[first] = below[""].add_parser(first, help=f"See usage {first} --help").add_subparsers()
        parser = below["".join(family)].add_parser(last, help=about.summary)
        import_module(about.module).options(parser)
        _complete_values(parser)
    return root


def _complete_values(parser: argparse.ArgumentParser) -> None:
    """Let the shell complete the names of files and folders, and the values that the help lists."""
    import shtab

    for action in parser._actions:  # noqa: SLF001 - argparse has no other list of them
        if action.dest == "data_dir":
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif "|" in (values := str(action.metavar)):
            action.choices = values.split("|")
