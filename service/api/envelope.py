"""What all answers share: the envelope, the types of their fields, and how quotients are rounded."""

import sys
from functools import lru_cache
from typing import Annotated, Final, Generic, TypeVar

import msgspec

from pipeline.contract.calendar import rfc3339

_Data = TypeVar("_Data")

Instant = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
Count = Annotated[int, msgspec.Meta(ge=0)]


# Few different boundaries are ever written: local midnights lie on quarter-hours.
boundary: Final = lru_cache(maxsize=1 << 15)(rfc3339)


class Question(msgspec.Struct, frozen=True):
    """Everything that an answer depends on besides the tables. Equal questions have equal answers."""

    @property
    def until(self) -> int:
        """Return the instant from which the same request means another question, in microseconds UTC."""
        return sys.maxsize

    @property
    def as_table(self) -> "Question":
        """Return the question whose answer, as CSV, is the one to this question."""
        return self


class Answer(msgspec.Struct, Generic[_Data], frozen=True):
    """What a handler returns. For each request, `meta` is added to its bytes."""

    data: _Data


class Meta(msgspec.Struct, frozen=True):
    """What belongs to one request, even if its data were computed for an earlier one."""

    request_id: str
    timestamp: Instant
    data_as_of: Instant | None


class Period(msgspec.Struct, frozen=True):
    """A window `[start, end)`."""

    start: Instant
    end: Instant

    @classmethod
    def of(cls, start: int, end: int) -> "Period":
        """Return the window `[start, end)`, given in microseconds UTC."""
        return cls(boundary(start), boundary(end))


def quotient(numerator: int, denominator: int, digits: int) -> float:
    """Return `numerator / denominator` rounded half to even, on the exact value; neither is negative.

    `round(a / b, digits)` would round twice: 0.285 as a float is a little less than 0.285, so that its two digits would
    be 0.28 by accident.
    """
    scale: int = 10**digits
    return rounded(numerator * scale, denominator) / scale


def rounded(numerator: int, denominator: int) -> int:
    """Return `numerator / denominator` rounded half to even to an integer; neither is negative."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))
