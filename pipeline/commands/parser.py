"""How the arguments of a command are parsed: `argparse`, with messages in the words of this project.

Takes the command's docstring as its help, wrapped to the terminal.
"""

import argparse
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NoReturn

from pipeline.commands.exit_codes import WRONG_USAGE
from pipeline.streams import note

# What argparse begins a message with, and what is said instead.
_WORDS: Final = (
    ("the following arguments are required: ", "missing: "),
    ("expected one argument", "needs a value"),
    ("expected at least one argument", "needs a value"),
    ("ignored explicit argument ", "takes no value, not "),
)


class Parser(argparse.ArgumentParser):
    """The options of one command.

    Args:
        prog: what the user types, such as `usage run`.
        about: the docstring of the command, which the help shows.
    """

    def __init__(self, prog: str, about: str = "", **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(prog, add_help=False, allow_abbrev=False, exit_on_error=False, **options)
        self.color = False  # escape sequences would be shown as such where they are not wanted
        self._about = about
        self._positionals.title, self._optionals.title = "Arguments", "Options"
        self.add_argument("-h", "--help", action="help", help="Show this help and exit.")

    def format_help(self) -> str:
        """Return the help, in paragraphs as wide as the terminal."""
        self.description = _wrapped(self._about, shutil.get_terminal_size().columns - 2)
        return super().format_help().replace("usage: ", "Usage: ", 1)

    def error(self, message: str) -> NoReturn:
        """Report wrong arguments as `argparse` does for all but a few."""
        raise argparse.ArgumentError(None, message)

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the values by name; exit 2 if the arguments are wrong."""
        try:
            found, left = self.parse_known_intermixed_args(list(arguments))
        except argparse.ArgumentError as error:
            self._refuse(_words(error))
        if left:
            if left[0].startswith("-"):
                names = [name for action in self._actions for name in action.option_strings]
                self._refuse(unknown("option", left[0].partition("=")[0], names))
            self._refuse(f"one argument too many: {left[0]!r}")
        return vars(found)

    def _refuse(self, message: str) -> NoReturn:
        note(f"{ended(message)} `{self.prog} --help` shows what it takes.")
        raise SystemExit(WRONG_USAGE)


def unknown(kind: str, given: str, known: Iterable[str]) -> str:
    """Return that there is no such option or command, and the name that may have been meant."""
    import difflib

    close = difflib.get_close_matches(given, list(known), 1)
    return f"there is no {kind} {given!r}" + (f". Did you mean {close[0]!r}?" if close else "")


def ended(text: str) -> str:
    """Return a sentence with its full stop, if it has no mark of its own."""
    return text if text.endswith("?") else f"{text}."


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number in some bounds."""
    bounds = f"at least {least}" if most is None else f"from {least} to {most}"

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        is_number = digits.isascii() and digits.isdigit() and len(digits) <= len(str(1 << 63))
        if not is_number or int(text) < least or (most is not None and int(text) > most):
            raise argparse.ArgumentTypeError(f"must be a whole number, {bounds}, not {text!r}")
        return int(text)

    return read


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Return what reads one of some names."""

    def read(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"must be {', '.join(names[:-1])} or {names[-1]}, not {text!r}")
        return text

    return read


def _words(error: argparse.ArgumentError) -> str:
    text = str(error.message)
    for theirs, ours in _WORDS:
        text = text.replace(theirs, ours)
    return f"{error.argument_name} {text}" if error.argument_name else text


def _wrapped(text: str, width: int) -> str:
    """Return a docstring with its paragraphs wrapped; indented lines stay as they are."""
    import textwrap

    first, _, rest = text.partition("\n")
    paragraphs = f"{first}\n{textwrap.dedent(rest)}".strip().split("\n\n")
    return "\n\n".join(
        one if one.startswith(" ") else textwrap.fill(one, width, break_long_words=False, break_on_hyphens=False)
        for one in paragraphs
    )
