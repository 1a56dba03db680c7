"""The pace of a billing period, in fractions."""

import math
from fractions import Fraction
from typing import Any

from tests.oracle.days import start_of_quarter
from tests.oracle.instants import SECOND_US, write_instant


def project(used: int, quota: int | None, start_us: int, end_us: int, now_us: int) -> dict[str, Any]:
    """Return how much of a period is over, what is used in all of it at this pace, and when the quota is spent."""
    elapsed_us = max(start_of_quarter(now_us) - start_us, 0)
    share = Fraction(elapsed_us, end_us - start_us)
    projected, exhausted = None, None
    if share >= Fraction(1, 10):
        projected = round(used / share)
        if quota and 0 < used < quota:
            seconds = math.ceil((start_us + elapsed_us * Fraction(quota, used)) / SECOND_US)
            exhausted = write_instant(seconds * SECOND_US) if seconds * SECOND_US < end_us else None
    return {
        "period": {"start": write_instant(start_us), "end": write_instant(end_us)},
        "elapsed": float(round(share, 6)),
        "projected": projected,
        "exhausted_at": exhausted,
    }
