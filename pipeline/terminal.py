"""Text for a terminal: aligned columns, and no control characters that a terminal would obey. Pure functions."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size


def printable(text: str) -> str:
    r"""Return a text with its unprintable characters, such as ESC or marks of direction, escaped as in `\x1b`."""
    return text.translate({ord(c): c.encode("unicode_escape").decode() for c in set(text) if not c.isprintable()})


def fitted(text: str, width: int) -> str:
    """Return a text cut to `width` columns of a terminal; wide characters take two columns."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Return rows as lines with aligned columns.

    Args:
        rows: the headings, then the values.
        sides: `<` or `>` for each column: aligned to the left or to the right.
    """
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(_cell, row, widths, sides)).rstrip() for row in rows]


def _cell(text: str, width: int, side: str) -> str:
    space = " " * (width - cell_len(text))
    return text + space if side == "<" else space + text
