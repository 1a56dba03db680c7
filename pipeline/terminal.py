"""Text for terminals: aligned columns, and no character that a terminal would interpret.

Pure: reads and writes nothing.
"""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size


def printable(text: str) -> str:
    r"""Escape all invisible characters, such as control codes and direction marks, as `\x1b`."""
    return text.translate({ord(c): c.encode("unicode_escape").decode() for c in set(text) if not c.isprintable()})


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


def _cell(text: str, width: int, side: str) -> str:
    space = " " * (width - cell_len(text))
    return text + space if side == "<" else space + text
