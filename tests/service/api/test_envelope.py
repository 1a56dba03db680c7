"""Rounding of quotients."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from hypothesis import example, given
from hypothesis import strategies as st

from service.api.envelope import quotient


@example(1, 20, 1)
@example(3, 20, 1)
@example(5, 2_000_000, 6)
@example(15, 2_000_000, 6)
@given(st.integers(0, 10**15), st.integers(1, 10**15), st.sampled_from([1, 2, 6]))
def test_quotient(numerator: int, denominator: int, digits: int) -> None:
    """A quotient is rounded half to even on its exact value."""
    with localcontext(prec=60):
        exact = Decimal(numerator) / Decimal(denominator)
        assert quotient(numerator, denominator, digits) == float(
            exact.quantize(Decimal(10) ** -digits, ROUND_HALF_EVEN)
        )
