"""How the commands write for people: aligned columns, and nothing that a terminal would obey."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size


def printable(text: str) -> str:
    r"""Return a text with all that is not to be seen, such as escape sequences or marks of direction, as `\x1b`."""
    return text.translate({ord(c): c.encode("unicode_escape").decode() for c in set(text) if not c.isprintable()})


def fitted(text: str, width: int) -> str:
    """Return a text in at most so many columns of a terminal, in which some characters take two."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Return rows as lines whose columns stand below each other.

    Args:
        rows: the headings, then the values.
        sides: `<` or `>` for each column, the side on which its values stand.
    """
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(_cell, row, widths, sides)).rstrip() for row in rows]


def _cell(text: str, width: int, side: str) -> str:
    space = " " * (width - cell_len(text))
    return text + space if side == "<" else space + text
