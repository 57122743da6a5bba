"""Differential item functioning: whether an item is harder for one group than for another of the same ability.

Mantel and Haenszel (1959), "Statistical aspects of the analysis of data from retrospective studies of disease", as applied to items by
Holland and Thayer (1988), "Differential item performance and the Mantel-Haenszel procedure"; classes of the Educational Testing Service
as in Zieky (1993), "Practical questions in the use of DIF statistics in test development".
"""

from dataclasses import dataclass
from math import log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.chi_squared import chi_squared_tail
from domain.psychometrics.irt import Floats
from domain.psychometrics.irt_likelihood import MISSING, Responses
from domain.shared.errors import InvalidInput

_DELTA: Final = -2.35  # from log odds to the delta scale of difficulty
_SMALL_DELTA, _LARGE_DELTA = 1.0, 1.5
_SIGNIFICANT: Final = 0.05
_ONE_SIDED: Final = 1.645
_PURIFICATIONS: Final = 10


@dataclass(frozen=True, slots=True)
class ItemDif:
    """What was found of one item.

    `odds_ratio` is the odds of a right answer in the reference group over those in the focal group, at equal total score; `delta` the same
    on the delta scale with its standard `error`, negative when the item is harder for the focal group. `grade` is A (negligible),
    B (moderate) or C (large).
    """

    odds_ratio: float
    chi_squared: float
    p: float
    delta: float
    error: float
    grade: str


def mantel_haenszel(responses: Responses, focal: NDArray[np.bool_], purify: bool = False) -> list[ItemDif | None]:
    """Returns the finding for each item, None where the groups cannot be compared: nobody, or one answer only, at every score.

    `responses` has shape (learners, items): 1 right, 0 wrong, -1 missing; `focal` says who belongs to the focal group. Learners are matched
    by their total score, so only those who answered every item count. With `purify`, items of class C are taken out of the score
    that the others are matched by, and it is done again until the classes remain. Raises InvalidInput when a group has nobody left.
    """
    complete = (responses != MISSING).all(axis=1)
    answers, group = responses[complete] == 1, focal[complete]
    if not group.any() or group.all():
        raise InvalidInput.of("group", "must hold two groups of learners, some of each of whom answered every item")
    matched = np.ones(responses.shape[1], dtype=np.bool_)
    for _ in range(_PURIFICATIONS):
        found = [_compared(answers, group, item, matched) for item in range(responses.shape[1])]
        clean = np.array([each is None or each.grade != "C" for each in found])
        if not purify or (clean == matched).all() or not clean.any():
            break
        matched = clean
    return found


def _compared(answers: NDArray[np.bool_], focal: NDArray[np.bool_], item: int, matched: NDArray[np.bool_]) -> ItemDif | None:
    # The item itself is always part of the score, or equal abilities would not have equal scores (Holland and Thayer 1988).
    score = answers[:, matched].sum(axis=1) + (0 if matched[item] else answers[:, item])
    right = answers[:, item]
    a, b, c, d = (
        np.bincount(score[who & what], minlength=answers.shape[1] + 1).astype(np.float64)
        for who, what in ((~focal, right), (~focal, ~right), (focal, right), (focal, ~right))
    )
    both = (a + b > 0) & (c + d > 0)
    a, b, c, d = a[both], b[both], c[both], d[both]
    total = a + b + c + d
    expected = (a + b) * (a + c) / total
    variance = ((a + b) * (c + d) * (a + c) * (b + d) / (total**2 * np.maximum(total - 1, 1))).sum()
    for_reference, for_focal = a * d / total, b * c / total
    if variance <= 0 or for_reference.sum() <= 0 or for_focal.sum() <= 0:
        return None
    ratio = float(for_reference.sum() / for_focal.sum())
    chi_squared = float(max(abs((a - expected).sum()) - 0.5, 0.0) ** 2 / variance)
    p = chi_squared_tail(chi_squared, 1)
    delta, error = _DELTA * log(ratio), -_DELTA * sqrt(_log_variance(a, b, c, d, total))
    return ItemDif(ratio, chi_squared, p, delta, error, _grade(delta, error, p))


def _log_variance(a: Floats, b: Floats, c: Floats, d: Floats, total: Floats) -> float:
    """Of the logarithm of the common odds ratio: Robins, Breslow and Greenland (1986)."""
    for_reference, for_focal = a * d / total, b * c / total
    agreeing, disagreeing = (a + d) / total, (b + c) / total
    r, s = for_reference.sum(), for_focal.sum()
    return float(
        (agreeing * for_reference).sum() / (2 * r**2)
        + (agreeing * for_focal + disagreeing * for_reference).sum() / (2 * r * s)
        + (disagreeing * for_focal).sum() / (2 * s**2)
    )


def _grade(delta: float, error: float, p: float) -> str:
    if p >= _SIGNIFICANT or abs(delta) < _SMALL_DELTA:
        return "A"
    large = abs(delta) >= _LARGE_DELTA and (abs(delta) - _SMALL_DELTA) / error > _ONE_SIDED
    return "C" if large else "B"
