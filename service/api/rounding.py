"""Quotients as the contract rounds them: half to even, on the exact value."""


def quotient(numerator: int, denominator: int, digits: int) -> float:
    """Return `numerator / denominator` rounded to decimal digits; both are at least 0.

    Floats would round twice: 0.285 is a little less than itself, so that two digits of it would be 0.28 by accident.
    """
    scale: int = 10**digits
    whole, rest = divmod(numerator * scale, denominator)
    whole += 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1)
    return whole / scale
