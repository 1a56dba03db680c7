"""`usage run --every`: the instants at which runs are due."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.schedule import IntervalError, next_tick, parse_interval
from pipeline.contract.calendar import DAY_US, SECOND_US, rfc3339
from pipeline.contract.formats import instant

_INTERVALS = st.sampled_from([text for n in range(1, 86_401) for text in (f"{n}s",) if 86_400 % n == 0]).map(
    parse_interval
)
_INSTANTS = st.integers(-(10**17), 10**17)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("30s", 30), ("5m", 300), ("1h", 3600), ("24h", 86_400), ("86400s", 86_400)]
)
def test_interval(text: str, seconds: int) -> None:
    """A valid interval is a number and a unit, and divides a day."""
    assert parse_interval(text) == seconds * SECOND_US


@pytest.mark.parametrize(
    "text", ["", "5", "m", "0s", "05m", "5 m", "+5m", "-5m", "5M", "1d", "1.5h", "1h30m", "5m\n", "٥m", "999999s"]
)
def test_malformed_interval(text: str) -> None:
    """A malformed interval is refused, with examples of valid ones."""
    with pytest.raises(IntervalError, match="such as 30s, 5m or 1h"):
        parse_interval(text)


@pytest.mark.parametrize("text", ["7m", "25h", "48h", "50m", "86401s"])
def test_interval_that_does_not_divide_a_day(text: str) -> None:
    """An interval whose ticks would differ from day to day is refused."""
    with pytest.raises(IntervalError, match="the same times every day"):
        parse_interval(text)


@pytest.mark.parametrize(
    ("every", "now", "due"),
    [
        ("5m", "2026-11-24T12:00:00Z", "2026-11-24T12:05:00Z"),
        ("5m", "2026-11-24T12:04:59.999999Z", "2026-11-24T12:05:00Z"),
        ("5m", "2026-11-24T12:13:00Z", "2026-11-24T12:15:00Z"),
        ("1h", "2026-11-24T23:30:00Z", "2026-11-25T00:00:00Z"),
        ("24h", "2026-11-24T12:00:00Z", "2026-11-25T00:00:00Z"),
        ("30s", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
    ],
)
def test_next_tick(every: str, now: str, due: str) -> None:
    """Ticks are counted from midnight UTC; at a tick, the next one is an interval later."""
    assert rfc3339(next_tick(instant(now), parse_interval(every))) == due


@given(_INSTANTS, _INTERVALS)
def test_ticks_are_aligned(now: int, every: int) -> None:
    """The next tick is at most one interval ahead, and a whole number of intervals after midnight UTC."""
    due = next_tick(now, every)
    assert now < due <= now + every
    assert due % DAY_US % every == 0


@given(_INSTANTS, _INTERVALS, st.integers(0, 10**12))
def test_ticks_are_monotonic(now: int, every: int, later: int) -> None:
    """All instants between two ticks have the same next tick, and a later instant never has an earlier one."""
    due = next_tick(now, every)
    assert next_tick(due - 1, every) == due
    assert next_tick(now + later, every) >= due
