"""Durations as users write and read them: `30m` and `2 h`."""

import re
from typing import Final

from pipeline.commands.options import refuse

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_duration: Final = re.compile(r"[0-9]{1,9}[smhd]", re.ASCII).fullmatch


def seconds(text: str, option: str) -> int:
    """Return a duration such as `30m` in seconds; exit 2 if it is not one."""
    if not _duration(text):
        refuse(f"{option} must be a number of s, m, h or d such as 30m, not {text!r}")
    return int(text[:-1]) * _SECONDS[text[-1]]


def span(duration: float) -> str:
    """Return a duration, in seconds, in the largest unit in which it is at least 2."""
    unit = next((unit for unit in "dhm" if abs(duration) >= 2 * _SECONDS[unit]), "s")
    return f"{duration / _SECONDS[unit]:,.0f} {unit}"
