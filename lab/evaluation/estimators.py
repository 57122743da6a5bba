"""Estimators of what a policy would have earned, from decisions that another policy made.

Inverse propensity scoring (Horvitz and Thompson 1952), its self-normalized form (Hajek 1971; Swaminathan and Joachims 2015), and the
doubly robust estimator (Dudik, Langford and Li 2011, "Doubly robust policy evaluation and learning"), whose outcome model is fitted on
other learners than those it is used on (cross-fitting: Chernozhukov and others 2018). Intervals are from a bootstrap over learners, since
the answers of one learner belong together.

Shapes: n decisions, F features.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.shared.errors import NotAllowedNow

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

FOLDS: Final = 5
RESAMPLES: Final = 1_000
CONFIDENCE: Final = 0.95
LEAST_SHARE: Final = 0.01
LEAST_SIZE: Final = 50.0
LEAST_SUPPORT: Final = 0.9
_RIDGE: Final = 1.0


class PoorOverlap(NotAllowedNow):
    reason = "POOR_OVERLAP"


class Estimate(NamedTuple):
    """A mean reward with its 95 % interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What was logged, and what the evaluated policy would have done.

    - `learner`, `reward`, `logged` (n,): whose decision it was, what it earned, and the probability with which the item was shown.
    - `target` (n,): the probability with which the evaluated policy would have shown the same item.
    - `features` (n, F): of the item that was shown; `expected` (n, F): their mean over the items that the evaluated policy would show.
    """

    learner: Integers
    reward: Floats
    logged: Floats
    target: Floats
    features: Floats
    expected: Floats


class Evaluation(NamedTuple):
    """`value` is the mean logged reward. Sizes are numbers of decisions; `clipped` is the share of weights that were cut to `clip`;
    `support` the mean weight before that, which is 1 if the log could have shown all that the policy would."""

    decisions: int
    learners: int
    logged: Estimate
    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate
    effective_size: float
    clip: float
    clipped: float
    support: Estimate


def evaluate(sample: Sample, seed: int = 0, clip: float = 50.0, least_share: float = LEAST_SHARE) -> Evaluation:
    """Raises PoorOverlap when the log can say too little: an effective sample size below `least_share` of the decisions or below 50, or
    when the log could hardly have shown what the policy would (a mean weight that is surely below 0.9)."""
    raw = sample.target / sample.logged
    weight = np.minimum(raw, clip)
    learners, row = np.unique(sample.learner, return_inverse=True)
    total = _Totals(row, len(learners), seed)
    support = total.ratio(raw, np.ones_like(raw))
    size = float(weight.sum() ** 2 / max(float((weight**2).sum()), 1e-300))
    if support.upper < LEAST_SUPPORT:
        raise PoorOverlap(
            f"the log cannot tell: only some {support.value:.0%} of what this policy would show had a chance to be shown by the logging "
            "policy. Log with a policy that explores"
        )
    if size < max(LEAST_SIZE, least_share * len(raw)):
        raise PoorOverlap(
            f"the log cannot tell: its {len(raw):,} decisions are worth {size:.1f} of this policy's, and at least "
            f"{max(LEAST_SIZE, least_share * len(raw)):.0f} are needed. The policies are too different, or the log is too short"
        )
    model, shown = _outcomes(sample, row)
    ones = np.ones_like(weight)
    return Evaluation(
        decisions=len(raw),
        learners=len(learners),
        logged=total.ratio(sample.reward, ones),
        ips=total.ratio(weight * sample.reward, ones),
        snips=total.ratio(weight * sample.reward, weight),
        doubly_robust=total.ratio(model + weight * (sample.reward - shown), ones),
        effective_size=size,
        clip=clip,
        clipped=float((raw > clip).mean()),
        support=support,
    )


class _Totals:
    """Sums over learners, and resamples of them."""

    def __init__(self, row: Integers, learners: int, seed: int) -> None:
        self._row, self._learners = row, learners
        chance = np.random.default_rng([seed, 17])
        self._times = chance.multinomial(learners, np.full(learners, 1.0 / learners), RESAMPLES).astype(np.float64)

    def ratio(self, above: Floats, below: Floats) -> Estimate:
        """Returns sum(above) / sum(below)."""
        over, under = (np.bincount(self._row, each, self._learners) for each in (above, below))
        drawn = (self._times @ over) / np.maximum(self._times @ under, 1e-300)
        lower, upper = np.quantile(drawn, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
        return Estimate(float(over.sum() / under.sum()), float(lower), float(upper))


def _outcomes(sample: Sample, row: Integers) -> tuple[Floats, Floats]:
    """Returns the expected reward of what the evaluated policy would show and of what was shown, by ridge regressions on the decisions of
    the learners of the other folds. Being linear, the model needs no more of the former than the mean of its features."""
    scale = np.maximum(sample.features.std(axis=0), 1e-9)
    shown = np.column_stack([np.ones(len(row)), sample.features / scale])
    target = np.column_stack([np.ones(len(row)), sample.expected / scale])
    penalty = np.diag([0.0, *[_RIDGE] * sample.features.shape[1]])
    of_target, of_shown = np.empty(len(row)), np.empty(len(row))
    for fold in range(FOLDS):
        own = row % FOLDS == fold
        others = ~own if not own.all() else own
        x, y = shown[others], sample.reward[others]
        coefficients = np.linalg.lstsq(x.T @ x + penalty, x.T @ y, rcond=None)[0]
        of_target[own], of_shown[own] = target[own] @ coefficients, shown[own] @ coefficients
    return of_target, of_shown
