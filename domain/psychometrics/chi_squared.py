"""The chi-squared distribution's tail, for tests of fit."""

from math import exp, inf, isfinite, lgamma, log
from typing import Final

_SMALL: Final = 1e-15
_TERMS: Final = 10_000


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """Returns P(a chi-squared variable of `degrees` degrees of freedom exceeds `statistic`), the p value.

    It is the regularized incomplete gamma function Q(degrees / 2, statistic / 2), by its series or its continued fraction, whichever
    converges (Abramowitz and Stegun 1964, 6.5.29 and 6.5.31). Raises ValueError for less than one degree or a negative statistic.
    """
    if degrees < 1 or not statistic >= 0:
        raise ValueError(f"there is no such tail: statistic {statistic}, {degrees} degrees of freedom")
    if statistic == 0 or not isfinite(statistic):
        return 0.0 if statistic == inf else 1.0
    a, x = degrees / 2, statistic / 2
    scale = exp(a * log(x) - x - lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, _TERMS):
            term *= x / (a + n)
            total += term
            if term < total * _SMALL:
                break
        return min(max(1 - scale * total, 0.0), 1.0)
    # Lentz's method for the continued fraction 1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - ...)).
    b = x + 1 - a
    c, d = inf, 1 / b
    value = d
    for n in range(1, _TERMS):
        numerator = -n * (n - a)
        b += 2
        d = 1 / (numerator * d + b)
        c = b + numerator / c
        value *= c * d
        if abs(c * d - 1) < _SMALL:
            break
    return min(scale * value, 1.0)
