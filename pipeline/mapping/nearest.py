"""The allowed name that was most likely meant: `workflowRun` is `workflow_run`.

Pure: reads and writes nothing.
"""

import difflib
import re
from collections.abc import Iterable

_words = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+").findall


def nearest(given: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name that is most like a given one, in whatever case and with whatever between its words."""
    names = {_plain(name): name for name in allowed}
    close = difflib.get_close_matches(_plain(given), names, 1)
    return names[close[0]] if close else None


def _plain(text: str) -> str:
    return "_".join(_words(text)).lower()
