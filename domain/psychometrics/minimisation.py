"""The least value of a smooth function within bounds: L-BFGS on the free variables, with projected steps.

Nocedal 1980, "Updating quasi-Newton matrices with limited storage"; the variables that a bound holds back are left out of the step and
the rest of it is projected onto the bounds (Bertsekas 1982, "Projected Newton methods for optimization problems with simple constraints").
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_MEMORY: Final = 10
_SUFFICIENT: Final = 1e-4  # Armijo's share of the decrease that the slope promises


class Minimum(NamedTuple):
    """Where the least value was found. `converged` is false when the steps ran out first."""

    place: Floats
    value: float
    iterations: int
    converged: bool


def minimise(
    function: Callable[[Floats], tuple[float, Floats]],
    start: Floats,
    least: Floats,
    greatest: Floats,
    *,
    tolerance: float = 1e-8,
    most_iterations: int = 200,
) -> Minimum:
    """Returns a local minimum of `function`, which gives its value and its gradient (d,), between `least` and `greatest` (d,).

    Ends when an iteration improves the value by less than `tolerance` of its size.
    """
    place = np.clip(start, least, greatest)
    value, gradient = function(place)
    pairs: deque[tuple[Floats, Floats]] = deque(maxlen=_MEMORY)
    for iteration in range(1, most_iterations + 1):
        free = ~((place <= least) & (gradient > 0) | (place >= greatest) & (gradient < 0))
        direction = _direction(gradient, pairs, free)
        found = _step(function, place, value, gradient, direction, least, greatest, first=not pairs)
        if found is None and pairs:
            pairs.clear()  # a bent memory of the curvature: begin again from the plain gradient
            continue
        if found is None:
            return Minimum(place, value, iteration, True)
        moved, new_value, new_gradient = found
        step, bend = moved - place, new_gradient - gradient
        if step @ bend > 1e-12 * (bend @ bend):
            pairs.append((step, bend))
        improvement = value - new_value
        place, value, gradient = moved, new_value, new_gradient
        if improvement <= tolerance * max(abs(value), 1.0):
            return Minimum(place, value, iteration, True)
    return Minimum(place, value, most_iterations, False)


def _direction(gradient: Floats, pairs: "deque[tuple[Floats, Floats]]", free: NDArray[np.bool_]) -> Floats:
    """Minus the gradient times the inverse Hessian, as the last steps show it, among the free variables."""
    rest = np.where(free, gradient, 0.0)
    known = [(step * free, bend * free) for step, bend in pairs]
    known = [(step, bend) for step, bend in known if step @ bend > 1e-12 * (bend @ bend) > 0]
    shares = []
    for step, bend in reversed(known):
        share = (step @ rest) / (step @ bend)
        rest = rest - share * bend
        shares.append(share)
    if known:
        step, bend = known[-1]
        rest = rest * ((step @ bend) / (bend @ bend))
    for (step, bend), share in zip(known, reversed(shares), strict=True):
        rest = rest + step * (share - (bend @ rest) / (step @ bend))
    return np.where(free, -rest, 0.0)


def _step(
    function: Callable[[Floats], tuple[float, Floats]],
    place: Floats,
    value: float,
    gradient: Floats,
    direction: Floats,
    least: Floats,
    greatest: Floats,
    *,
    first: bool,
) -> tuple[Floats, float, Floats] | None:
    """The first sufficient decrease along the direction, halving; None if there is none."""
    length = min(1.0, 1.0 / max(float(np.abs(direction).sum()), 1e-12)) if first else 1.0
    for _ in range(30):
        moved = np.clip(place + length * direction, least, greatest)
        slope = float(gradient @ (moved - place))
        if slope >= 0:
            return None
        new_value, new_gradient = function(moved)
        if new_value <= value + _SUFFICIENT * slope:
            return moved, new_value, new_gradient
        length /= 2
    return None
