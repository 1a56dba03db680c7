"""Text for terminals: tables that fit, and no character that a terminal would interpret.

Reads only how wide the terminal is.
"""

import shutil
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

_WIDTH: Final = 160  # of lines that no terminal shows, unless COLUMNS says otherwise


def width() -> int:
    """Return how many columns a line may have."""
    return shutil.get_terminal_size((_WIDTH, 0)).columns


def printable_json(text: str) -> str:
    r"""Escape all invisible characters but the newline in a JSON text as JSON does: `\u001b`."""
    hidden = {c for c in set(text) if not c.isprintable() and c != "\n"}
    return text.translate({ord(c): _json_escape(c) for c in hidden})


def fitted(text: str, width: int) -> str:
    """Cut a text to at most `width` terminal columns; some characters take two."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Return rows as lines with aligned columns.

    Args:
        rows: the headings, then the values.
        sides: `<` (left) or `>` (right) for each column.
    """
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(_cell, row, widths, sides)).rstrip() for row in rows]


def table(rows: Sequence[Sequence[str]], sides: str, indent: str = "") -> list[str]:
    """Return rows as lines with aligned columns that fit the terminal, else as records of one line per value.

    Args:
        rows: the headings, then the values.
        sides: `<` (left) or `>` (right) for each column.
        indent: what each line begins with.
    """
    return [f"{indent}{line}" for block in blocks(rows, sides, width() - len(indent)) for line in block]


def blocks(rows: Sequence[Sequence[str]], sides: str, most: int) -> list[list[str]]:
    """Return the lines of the headings, which may be none, then those of each row; a line has `most` columns.

    Args:
        rows: the headings, then the values.
        sides: `<` (left) or `>` (right) for each column.
        most: how many columns a line may have; a single value may need more.
    """
    lines = aligned(rows, sides)
    if max(map(cell_len, lines)) <= most:
        return [[line] for line in lines]
    return [[], *records(rows)]


def records(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return a line for each value, below a line `row N` for each row.

    Args:
        rows: the headings, then the values.
    """
    names, *found = rows
    return [
        [f"row {number}", *(f"  {line}" for line in aligned(list(zip(names, row, strict=True)), "<<"))]
        for number, row in enumerate(found, start=1)
    ]


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _cell(text: str, width: int, side: str) -> str:
    space = " " * (width - cell_len(text))
    return text + space if side == "<" else space + text
