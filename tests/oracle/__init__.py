"""The contract in plain Python: an independent second opinion that shares no code with the pipeline or the service.

    raw files ─▶ validate (json_text, validation) ─▶ versions (events, loading) ─▶ answers (days, answers)

It is slow and simple on purpose: every question reads all events, and every local day is found by trying instants.
"""

from tests.oracle.answers import Directory, Oracle, load, name_locale
from tests.oracle.events import Amounts, Event
from tests.oracle.instants import read_instant, write_instant
from tests.oracle.loading import Accounting, BadLine
from tests.oracle.validation import Verdict, validate

__all__ = [
    "Accounting",
    "Amounts",
    "BadLine",
    "Directory",
    "Event",
    "Oracle",
    "Verdict",
    "load",
    "name_locale",
    "read_instant",
    "validate",
    "write_instant",
]
