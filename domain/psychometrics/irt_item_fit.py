"""How well calibrated items fit the responses: S-X² for every model; infit and outfit for the one-parameter model."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.chi_squared import chi_squared_tail
from domain.psychometrics.irt import Floats, Items, informations, probabilities
from domain.psychometrics.irt_likelihood import MISSING, Model, Responses

_NODES: Final = np.linspace(-6.0, 6.0, 61)
_WEIGHTS: Final = np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()
_GRID: Final = np.linspace(-6.0, 6.0, 601)
_FEWEST_EXPECTED: Final = 1.0  # right and wrong answers in a group of scores
_PARAMETERS: Final = {Model.ONE: 1, Model.TWO: 2, Model.THREE: 3}
MOST_ITEMS: Final = 200  # S-X² takes time with the cube of the items


@dataclass(frozen=True, slots=True)
class ItemFit:
    """The statistics of one item; None for what cannot be said.

    `chi_squared` is S-X² with its `degrees` of freedom and `p`, the probability of as bad a fit by chance; `infit` and `outfit` are mean
    squares, 1 when answers vary as much as the model says, below when less and above when more.
    """

    chi_squared: float | None = None
    degrees: int | None = None
    p: float | None = None
    infit: float | None = None
    outfit: float | None = None


def item_fit(responses: Responses, items: Items, model: Model) -> list[ItemFit]:
    """Returns the fit of each item to responses (learners, items): 1 right, 0 wrong, -1 missing.

    S-X² compares learners of equal total score, so it takes those who answered every calibrated item, and at most 200 items. An item
    with NaN parameters has no statistics.
    """
    known = np.flatnonzero(np.isfinite(items.slope))
    chosen, used = items.take(known), responses[:, known]
    fits = [ItemFit()] * items.slope.size
    squares = _mean_squares(used, chosen) if model is Model.ONE else None
    complete = used[(used != MISSING).all(axis=1)]
    for place, index in enumerate(known.tolist()):
        statistic = _s_x2(complete, chosen, place, _PARAMETERS[model]) if known.size <= MOST_ITEMS else None
        infit, outfit = (float(each[place]) for each in squares) if squares else (None, None)
        if statistic is None:
            fits[index] = ItemFit(infit=infit, outfit=outfit)
        else:
            value, degrees = statistic
            fits[index] = ItemFit(value, degrees, chi_squared_tail(value, degrees), infit, outfit)
    return fits


def score_distribution(right: Floats) -> Floats:
    """Returns P(total score | ability), shape (nodes, n + 1), from P(correct) of shape (nodes, n).

    Lord and Wingersky (1984), "Comparison of IRT true-score and equipercentile observed-score equatings".
    """
    scores = np.zeros((right.shape[0], right.shape[1] + 1))
    scores[:, 0] = 1
    for item in range(right.shape[1]):
        chance = right[:, item, None]
        scores[:, 1 : item + 2] = scores[:, 1 : item + 2] * (1 - chance) + scores[:, : item + 1] * chance
        scores[:, 0] *= 1 - chance[:, 0]
    return scores


def _s_x2(complete: Responses, items: Items, place: int, parameters: int) -> tuple[float, int] | None:
    """Orlando and Thissen (2000), "Likelihood-based item-fit indices for dichotomous item response theory models".

    Scores are grouped from both ends until a right and a wrong answer are expected in each group.
    """
    count = items.slope.size
    right = probabilities(items, _NODES)
    rest = score_distribution(np.delete(right, place, axis=1))
    chance = right[:, place, None]
    joint_right = _WEIGHTS @ (rest * chance)  # with the item right the score is one more than the rest's
    joint_wrong = _WEIGHTS @ (rest * (1 - chance))
    inner = slice(1, count)
    share = joint_right[: count - 1] / np.maximum(joint_right[: count - 1] + joint_wrong[inner], 1e-300)
    totals = complete.sum(axis=1, dtype=np.int64)
    people = np.bincount(totals, minlength=count + 1)[inner].astype(np.float64)
    observed = np.bincount(totals[complete[:, place] == 1], minlength=count + 1)[inner].astype(np.float64)
    groups = _groups(people * share, people * (1 - share))
    degrees = len(groups) - parameters
    if degrees < 1:
        return None
    value = 0.0
    for group in groups:
        size, expected = people[group].sum(), (people * share)[group].sum()
        value += (observed[group].sum() - expected) ** 2 * size / (expected * (size - expected))
    return float(value), degrees


def _groups(right: Floats, wrong: Floats) -> list[NDArray[np.intp]]:
    groups: list[list[int]] = [[]]
    for score in range(right.size):
        groups[-1].append(score)
        if min(right[groups[-1]].sum(), wrong[groups[-1]].sum()) >= _FEWEST_EXPECTED:
            groups.append([])
    rest = groups.pop()
    if groups:
        groups[-1] += rest
    return [np.array(each, dtype=np.intp) for each in groups]


def _mean_squares(responses: Responses, items: Items) -> tuple[Floats, Floats]:
    """Infit and outfit (Wright and Masters 1982, "Rating scale analysis", chapter 5), at Warm's (1989) weighted likelihood abilities."""
    answered, right = responses != MISSING, responses == 1
    at_grid = np.clip(probabilities(items, _GRID), 1e-12, 1 - 1e-12)
    surprise = right @ np.log(at_grid.T) + (answered & ~right) @ np.log1p(-at_grid.T)
    told = answered @ informations(items, _GRID).T
    ability = _GRID[(surprise + 0.5 * np.log(np.maximum(told, 1e-300))).argmax(axis=1)]
    chance = probabilities(items, ability)
    variance = np.where(answered, chance * (1 - chance), 0.0)
    squared = np.where(answered, (right - chance) ** 2, 0.0)
    infit = squared.sum(axis=0) / variance.sum(axis=0)
    outfit = (squared / np.where(answered, variance, 1.0)).sum(axis=0) / answered.sum(axis=0)
    return infit, outfit
