"""Text for terminals: aligned columns, and no character that a terminal would interpret.

Pure: reads and writes nothing.
"""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size


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


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _cell(text: str, width: int, side: str) -> str:
    space = " " * (width - cell_len(text))
    return text + space if side == "<" else space + text
