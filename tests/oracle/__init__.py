"""An independent second opinion: the contract in plain Python, sharing no code with what it judges.

    raw files ─▶ judge (json_text, judging) ─▶ versions (events, loading) ─▶ answers (days, answers)

Slow and simple on purpose: every question walks all events, every local day is found by looking at instants.
"""

from tests.oracle.answers import Directory, Oracle, load, name_locale
from tests.oracle.events import Amounts, Event
from tests.oracle.instants import read_instant, write_instant
from tests.oracle.judging import Verdict, judge
from tests.oracle.loading import Accounting, BadLine

__all__ = [
    "Accounting",
    "Amounts",
    "BadLine",
    "Directory",
    "Event",
    "Oracle",
    "Verdict",
    "judge",
    "load",
    "name_locale",
    "read_instant",
    "write_instant",
]
