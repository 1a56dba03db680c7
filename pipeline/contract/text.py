"""Text from elsewhere, such as a file's name or a line of a log, as logs and terminals can show it.

Pure: reads and writes nothing.
"""


def printable(text: str, kept: str = "") -> str:
    r"""Escape all invisible characters except `kept`, such as control codes and direction marks, as `\x1b`."""
    if text.isprintable():
        return text
    hidden = {c for c in set(text) if not c.isprintable() and c not in kept}
    return text.translate({ord(c): c.encode("unicode_escape").decode() for c in hidden})
