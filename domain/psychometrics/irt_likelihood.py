"""The marginal likelihood of logistic item response models, with its gradient and information: what irt_fit maximises.

Bock and Aitkin (1981), "Marginal maximum likelihood estimation of item parameters: application of an EM algorithm"; Louis (1982), "Finding
the observed information matrix when using the EM algorithm". Abilities are standard normal and summed out at 61 fixed nodes.

A point is an array (kinds, n): slope a, intercept d and, in the three-parameter model, the logit of guess; the logit of an answer
without guessing is a t + d. With P = P(correct), every derivative of the log-likelihood of an answer x is (x - P) h, where
h = dP/dparameter / (P (1 - P)) is called its sensitivity.
"""

from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.irt import Floats, logistic

MISSING: Final = -1
Responses = NDArray[np.int8]

_NODES: Final = np.linspace(-6.0, 6.0, 61)
_LOG_WEIGHTS: Final = -0.5 * _NODES**2 - np.log(np.exp(-0.5 * _NODES**2).sum())
_GUESS_RIGHT, _GUESS_WRONG = 4.0, 16.0  # Beta(5, 17) is proportional to these powers of guess and 1 - guess
_LOG_SLOPE_DEVIATION: Final = 0.5
_LEAST: Final = 1e-300


class Model(StrEnum):
    ONE = "1pl"
    TWO = "2pl"
    THREE = "3pl"


class Expected(NamedTuple):
    """The E step: the posterior of each pattern's ability, (patterns, nodes), the log-likelihood, and it with the priors added."""

    weight: Floats
    log_likelihood: float
    objective: float


class Likelihood:
    """The likelihood of response patterns (patterns, n) that occurred `counts` times each."""

    def __init__(self, model: Model, patterns: Responses, counts: Floats) -> None:
        self.counts = counts
        self.items = patterns.shape[1]
        self.kinds = 3 if model is Model.THREE else 2
        self.right = (patterns == 1).astype(np.float64)
        self.answered = (patterns != MISSING).astype(np.float64)
        self.responses = float(counts @ self.answered.sum(axis=1))

    def start(self) -> Floats:
        """A first guess: slopes of 1 and intercepts from the shares of right answers."""
        share = (self.counts @ self.right + 0.5) / (self.counts @ self.answered + 1)
        theta = np.ones((self.kinds, self.items))
        if self.kinds == 3:
            theta[2] = np.log(0.2 / 0.8)
            share = np.clip((share - 0.15) / 0.85, 0.05, 0.95)
        theta[1] = 1.2 * np.log(share / (1 - share))
        return theta

    def chances(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """P(correct), P(wrong) and what P(correct) would be without guessing, each (nodes, n)."""
        logit = theta[0] * _NODES[:, None] + theta[1]
        known, unknown = logistic(logit), logistic(-logit)
        if self.kinds == 2:
            return known, unknown, known
        guess = logistic(theta[2])
        return guess + (1 - guess) * known, (1 - guess) * unknown, known

    def expected(self, theta: Floats) -> Expected:
        right, wrong, _ = self.chances(theta)
        log_right, log_wrong = (np.log(np.maximum(each, _LEAST)).T for each in (right, wrong))
        log_joint = self.right @ (log_right - log_wrong) + self.answered @ log_wrong + _LOG_WEIGHTS
        top = log_joint.max(axis=1, keepdims=True)
        joint = np.exp(log_joint - top)
        total = joint.sum(axis=1, keepdims=True)
        log_likelihood = float(self.counts @ (np.log(total) + top)[:, 0])
        return Expected(joint / total, log_likelihood, log_likelihood + self._log_prior(theta))

    def derivatives(self, theta: Floats, expected: Expected) -> tuple[Floats, Floats]:
        """Gradient of the objective, (kinds, n), and the expected information of the completed data, (n, kinds, kinds)."""
        right, wrong, _ = self.chances(theta)
        weight = expected.weight * self.counts[:, None]
        answers = weight.T @ self.answered
        residual = weight.T @ self.right - answers * right
        h = self._sensitivities(theta)
        prior, curvature = self._prior(theta)
        gradient = np.einsum("kqj,qj->kj", h, residual) + prior
        information = np.einsum("kqj,lqj,qj->jkl", h, h, answers * right * wrong)
        kinds = np.arange(self.kinds)
        information[:, kinds, kinds] += np.maximum(curvature, 0).T
        return gradient, information

    def information(self, theta: Floats, expected: Expected) -> Floats:
        """Louis's observed information of all parameters, (kinds n, kinds n), kind by kind: completed less missing information."""
        right, wrong, known = self.chances(theta)
        h = self._sensitivities(theta)
        weight = expected.weight * self.counts[:, None]
        answers = weight.T @ self.answered
        size = self.kinds * self.items
        total = np.zeros((self.kinds, self.items, self.kinds, self.items))
        for node in range(len(_NODES)):
            residual = self.right - self.answered * right[node]
            weighted = residual * weight[:, node, None]
            total -= np.einsum("kj,li,ji->kjli", h[:, node], h[:, node], weighted.T @ residual)
        total += self._squared_gradients(h, right, expected).reshape(total.shape)
        completed = np.einsum("kqj,lqj,qj->jkl", h, h, answers * right * wrong)
        if self.kinds == 3:
            residual = weight.T @ self.right - answers * right
            completed -= self._bends(theta, right, known, residual)
        items, kinds = np.arange(self.items), np.arange(self.kinds)
        total.transpose(1, 3, 0, 2)[items, items] += completed
        total.transpose(0, 2, 1, 3)[kinds[:, None], kinds[:, None], items, items] += self._prior(theta)[1]
        return np.asarray(total.reshape(size, size))

    def empirical_information(self, theta: Floats, expected: Expected) -> Floats:
        """The sum of squared gradients of the learners, (kinds n, kinds n): quicker to have, and in large samples the same."""
        right, _, _ = self.chances(theta)
        squared = self._squared_gradients(self._sensitivities(theta), right, expected)
        return squared + np.diag(self._prior(theta)[1].ravel())

    def _squared_gradients(self, h: Floats, right: Floats, expected: Expected) -> Floats:
        """The sum over learners of gradient times gradient, (kinds n, kinds n)."""
        each = [self.right * (expected.weight @ one) - self.answered * (expected.weight @ (one * right)) for one in h]
        flat = np.concatenate(each, axis=1)
        return np.asarray(flat.T @ (flat * self.counts[:, None]))

    def _sensitivities(self, theta: Floats) -> Floats:
        """h of each parameter, (kinds, nodes, n)."""
        right, _, known = self.chances(theta)
        if self.kinds == 2:
            inner = np.ones_like(right)
            return np.stack([_NODES[:, None] * inner, inner])
        right = np.maximum(right, _LEAST)
        return np.stack([_NODES[:, None] * known / right, known / right, logistic(theta[2]) / right])

    @staticmethod
    def _bends(theta: Floats, right: Floats, known: Floats, residual: Floats) -> Floats:
        """The derivatives of h in the three-parameter model, summed over nodes with the residuals, (n, kinds, kinds)."""
        guess = logistic(theta[2])
        common = residual * known / np.maximum(right, _LEAST) ** 2
        by_logit = common * (1 - known) * guess
        by_both = -common * (1 - known) * guess * (1 - guess)
        by_guess = (common * guess * (1 - guess)).sum(axis=0)
        t = _NODES[:, None]
        slope, cross, intercept = ((by_logit * each).sum(axis=0) for each in (t * t, t, 1.0))
        slope_guess, intercept_guess = ((by_both * each).sum(axis=0) for each in (t, 1.0))
        rows = [[slope, cross, slope_guess], [cross, intercept, intercept_guess], [slope_guess, intercept_guess, by_guess]]
        return np.asarray(np.array(rows).transpose(2, 0, 1))

    def _log_prior(self, theta: Floats) -> float:
        if self.kinds == 2:
            return 0.0
        guess = -_GUESS_RIGHT * np.logaddexp(0, -theta[2]) - _GUESS_WRONG * np.logaddexp(0, theta[2])
        return float((guess - 0.5 * (np.log(theta[0]) / _LOG_SLOPE_DEVIATION) ** 2).sum())

    def _prior(self, theta: Floats) -> tuple[Floats, Floats]:
        """Gradient and negated second derivative of the logarithm of the prior, each (kinds, n)."""
        gradient, curvature = np.zeros_like(theta), np.zeros_like(theta)
        if self.kinds == 3:
            slope, variance = theta[0], _LOG_SLOPE_DEVIATION**2
            gradient[0] = -np.log(slope) / (variance * slope)
            curvature[0] = (1 - np.log(slope)) / (variance * slope**2)
            guess = logistic(theta[2])
            gradient[2] = _GUESS_RIGHT - (_GUESS_RIGHT + _GUESS_WRONG) * guess
            curvature[2] = (_GUESS_RIGHT + _GUESS_WRONG) * guess * (1 - guess)
        return gradient, curvature
