"""Calibrates items of the one-, two- and three-parameter logistic models by marginal maximum likelihood.

Bock and Aitkin (1981), "Marginal maximum likelihood estimation of item parameters: application of an EM algorithm": abilities are standard
normal in the population and summed out at fixed nodes, so that items are estimated without estimating any learner. Responses may be
missing (at random). The EM steps are followed by Newton steps with the exact information of Louis (1982), "Finding the observed
information matrix when using the EM algorithm", which also gives the standard errors.

The three-parameter model is not identified by the data alone. As is usual since BILOG (Mislevy 1986, "Bayes modal estimation in item
response models") guess has a prior, Beta(5, 17) with mode 0.2, and the logarithm of the slope a normal one with mean 0 and deviation 0.5;
its estimates are those of the highest posterior.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.irt import GREATEST_DIFFICULTY, Floats, Items, logistic
from domain.psychometrics.irt_likelihood import MISSING, Expected, Likelihood, Model, Responses
from domain.shared.errors import InvalidInput

_STEPS: Final = 2000
_PATIENCE: Final = 8  # EM steps before a Newton step is tried, and after one that failed
_EXACT: Final = 800  # parameters; with more, one Newton step takes longer than the EM steps it saves
_HALVINGS: Final = 6
_LONGEST_STEP: Final = 1.0
_LIMITS: Final = np.array([[15.0], [40.0], [8.0]])  # of slope, intercept, logit of guess
_LEAST_SLOPE: Final = 0.01  # of the three-parameter model, whose prior knows only positive slopes
_FLAT: Final = 1e-6  # a slope so small that there is no difficulty
_SMALL: Final = 1e-7  # gradient for each response, at which the fit has converged

Step = Callable[[int, float], None]


class ItemErrors(NamedTuple):
    """Standard errors, each of shape (n,), in the units of the parameters; NaN for what was not estimated or has none."""

    slope: Floats
    difficulty: Floats
    guess: Floats


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came of a fit. Items that could not be calibrated have NaN parameters and a note saying why.

    `log_likelihood` is the marginal one of all responses used, without priors; `parameters` counts the free ones. `notes` are by item index.
    `usable` says which items have parameters that a test can use: estimated, with a positive slope.
    """

    model: Model
    items: Items
    errors: ItemErrors
    log_likelihood: float
    parameters: int
    learners: int
    responses: int
    converged: bool
    steps: int
    notes: dict[int, str]

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 log L."""
        return 2 * self.parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log(learners) - 2 log L."""
        return self.parameters * float(np.log(self.learners)) - 2 * self.log_likelihood

    @property
    def usable(self) -> NDArray[np.bool_]:
        return np.isfinite(self.items.slope) & (self.items.slope > 0) & (np.abs(self.items.difficulty) <= GREATEST_DIFFICULTY)


def fit(responses: Responses, model: Model, on_step: Step = lambda step, log_likelihood: None) -> Calibration:
    """Returns the calibration of the items from responses of shape (learners, items): 1 right, 0 wrong, -1 missing.

    An item that everybody answered right, or wrong, or nobody answered, has no finite difficulty: it is left out with a note. Learners with
    all answers right or all wrong stay; their ability needs no estimate here. Raises InvalidInput when fewer than two items or
    learners remain. `on_step` is called after each step with the log-likelihood then.
    """
    if responses.ndim != 2 or not np.isin(responses, (0, 1, MISSING)).all():
        raise InvalidInput.of("responses", "must be a table of 1 (right), 0 (wrong) and -1 (missing), one row a learner")
    notes = _not_varying(responses)
    kept = np.array([each for each in range(responses.shape[1]) if each not in notes], dtype=np.intp)
    used = responses[:, kept]
    used = used[(used != MISSING).any(axis=1)]
    if kept.size < 2 or used.shape[0] < 2:
        raise InvalidInput.of(
            "responses",
            f"must hold at least 2 learners and 2 items that some answered right and some wrong; there are {used.shape[0]} and {kept.size}",
        )
    patterns, counts = np.unique(used, axis=0, return_counts=True)
    likelihood = Likelihood(model, patterns, counts.astype(np.float64))
    found = _maximised(likelihood, model, on_step)
    return _calibration(likelihood, model, found, responses.shape[1], kept, notes)


def _not_varying(responses: Responses) -> dict[int, str]:
    right, wrong = (responses == 1).any(axis=0), (responses == 0).any(axis=0)
    reasons = {
        (False, False): "nobody answered it",
        (True, False): "everybody answered it right: it has no finite difficulty",
        (False, True): "everybody answered it wrong: it has no finite difficulty",
    }
    return {
        index: reasons[pair] for index, pair in enumerate(zip(right.tolist(), wrong.tolist(), strict=True)) if pair in reasons
    }


class _Maximum(NamedTuple):
    theta: Floats
    expected: Expected
    converged: bool
    steps: int


def _maximised(likelihood: Likelihood, model: Model, on_step: Step) -> _Maximum:
    theta = likelihood.start()
    expected = likelihood.expected(theta)
    patience = _PATIENCE
    for step in range(_STEPS):
        gradient, blocks = likelihood.derivatives(theta, expected)
        if model is Model.ONE:  # all items move their slopes together
            gradient[0] = gradient[0].mean()
            blocks[:, 0, 0] = blocks[:, 0, 0].mean()
            blocks[:, 0, 1] = blocks[:, 1, 0] = 0
        gradient = np.where(_stopped(theta, gradient), 0, gradient)
        if np.abs(gradient).max() <= _SMALL * likelihood.responses:
            return _Maximum(theta, expected, True, step)
        better = None
        if patience <= 0 and theta.size <= _EXACT:
            better = _higher(likelihood, theta, expected, _newton_move(likelihood, model, theta, expected, gradient))
        if better is None:
            patience = _PATIENCE if patience <= 0 else patience - 1
            better = _higher(likelihood, theta, expected, _scoring_move(gradient, blocks))
        if better is None:
            return _Maximum(theta, expected, False, step)
        theta, expected = better
        on_step(step + 1, expected.log_likelihood)
    return _Maximum(theta, expected, False, _STEPS)


def _bounds(theta: Floats) -> tuple[Floats, Floats]:
    upper = np.broadcast_to(_LIMITS[: len(theta)], theta.shape)
    lower = -upper
    if len(theta) == 3:
        lower[0] = _LEAST_SLOPE
    return lower, upper


def _stopped(theta: Floats, gradient: Floats) -> NDArray[np.bool_]:
    """Which parameters are at a limit that their gradient would take further."""
    lower, upper = _bounds(theta)
    return ((theta >= upper) & (gradient > 0)) | ((theta <= lower) & (gradient < 0))


def _scoring_move(gradient: Floats, blocks: Floats) -> Floats:
    """One step of Fisher's scoring for each item on the completed data: the M step."""
    return np.asarray(np.linalg.solve(blocks, gradient.T[..., None])[..., 0].T, dtype=np.float64)


def _newton_move(likelihood: Likelihood, model: Model, theta: Floats, expected: Expected, gradient: Floats) -> Floats | None:
    """The step to where a parabola has its maximum; None where the surface is not like one."""
    information = _tied(likelihood.information(theta, expected), model, likelihood.items)
    slope = gradient[0]
    uphill = np.concatenate([slope[:1] * likelihood.items, gradient[1]]) if model is Model.ONE else gradient.ravel()
    move = np.zeros_like(uphill)
    free = np.flatnonzero(uphill)
    try:
        factor = np.linalg.cholesky(information[np.ix_(free, free)])
    except np.linalg.LinAlgError:
        return None
    move[free] = np.linalg.solve(factor.T, np.linalg.solve(factor, uphill[free]))
    if model is Model.ONE:
        move = np.concatenate([np.full(likelihood.items, move[0]), move[1:]])
    return move.reshape(theta.shape)


def _tied(information: Floats, model: Model, items: int) -> Floats:
    """The information of the free parameters: in the one-parameter model the slopes are one."""
    if model is not Model.ONE:
        return information
    rows = np.vstack([information[:items].sum(axis=0), information[items:]])
    return np.hstack([rows[:, :items].sum(axis=1, keepdims=True), rows[:, items:]])


def _higher(likelihood: Likelihood, theta: Floats, expected: Expected, move: Floats | None) -> tuple[Floats, Expected] | None:
    """Where the move, or a half, a quarter... of it leads uphill; None if nowhere."""
    if move is None or not np.isfinite(move).all():
        return None
    move = np.clip(move, -_LONGEST_STEP, _LONGEST_STEP)
    for _ in range(_HALVINGS):
        there = np.clip(theta + move, *_bounds(theta))
        then = likelihood.expected(there)
        if then.objective > expected.objective:
            return there, then
        move = move / 2
    return None


def _calibration(
    likelihood: Likelihood, model: Model, found: _Maximum, size: int, kept: NDArray[np.intp], notes: dict[int, str]
) -> Calibration:
    theta, three = found.theta, model is Model.THREE
    slope, intercept = np.where(np.abs(theta[0]) < _FLAT, np.nan, theta[0]), theta[1]
    difficulty = -intercept / slope
    guess = logistic(theta[2]) if three else np.zeros_like(slope)
    covariance = _covariance(likelihood, model, found)
    spread = np.sqrt(np.diagonal(covariance)).reshape(theta.shape)
    items = likelihood.items
    slope_intercept = covariance[np.arange(items), items + np.arange(items)]
    # difficulty = -d / a, so its derivatives are d / a² and -1 / a.
    by_slope, by_intercept = intercept / slope**2, -1 / slope
    variance = (by_slope * spread[0]) ** 2 + (by_intercept * spread[1]) ** 2 + 2 * by_slope * by_intercept * slope_intercept
    errors = ItemErrors(
        _spread_out(spread[0], kept, size),
        _spread_out(np.sqrt(np.where(variance >= 0, variance, np.nan)), kept, size),
        _spread_out(guess * (1 - guess) * spread[2] if three else np.full(items, np.nan), kept, size),
    )
    free = items + 1 if model is Model.ONE else theta.size
    return Calibration(
        model,
        Items(*(_spread_out(each, kept, size) for each in (theta[0], difficulty, guess))),
        errors,
        found.expected.log_likelihood,
        free,
        int(likelihood.counts.sum()),
        int(likelihood.responses),
        found.converged,
        found.steps,
        notes | _doubts(theta, difficulty, kept),
    )


def _covariance(likelihood: Likelihood, model: Model, found: _Maximum) -> Floats:
    """The inverse information, (kinds n, kinds n); NaN for what the responses do not determine."""
    exact = found.theta.size <= _EXACT
    compute = likelihood.information if exact else likelihood.empirical_information
    information = _tied(compute(found.theta, found.expected), model, likelihood.items)
    lower, upper = _bounds(found.theta)
    inside = ((found.theta > lower) & (found.theta < upper)).ravel()
    determined = inside if model is not Model.ONE else inside[likelihood.items - 1 :]
    covariance = np.full(information.shape, np.nan)
    chosen = np.ix_(determined, determined)
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(information[chosen]))
        covariance[chosen] = inverse.T @ inverse
    except np.linalg.LinAlgError:
        pass
    if model is Model.ONE:
        back = np.concatenate([np.zeros(likelihood.items, dtype=np.intp), np.arange(1, likelihood.items + 1)])
        covariance = covariance[np.ix_(back, back)]
    return covariance


def _spread_out(values: Floats, kept: NDArray[np.intp], size: int) -> Floats:
    out = np.full(size, np.nan)
    out[kept] = values
    return out


def _doubts(theta: Floats, difficulty: Floats, kept: NDArray[np.intp]) -> dict[int, str]:
    lower, upper = _bounds(theta)
    notes = {}
    for place, index in enumerate(kept.tolist()):
        if ((theta[:, place] >= upper[:, place]) | (theta[:, place] <= lower[:, place])).any():
            notes[index] = "the responses do not determine it: the fit ended at a limit"
        elif not abs(difficulty[place]) <= GREATEST_DIFFICULTY:
            notes[index] = "answers to it hardly depend on ability: it has no difficulty in the range of abilities"
        elif theta[0, place] < 0:
            notes[index] = "weaker learners answered it right more often: look at its key"
    return notes
