"""Trains logistic regression by Newton's method (iteratively reweighted least squares) with a ridge penalty, in numpy."""

from typing import Final

import numpy as np

from domain.inference.feature_model import probabilities
from domain.inference.logistic import Logistic
from lab.response_models.dataset import Rows

_RIDGE: Final = 1.0
_MOST_STEPS: Final = 50
_CLOSE: Final = 1e-10


def fit_logistic(rows: Rows) -> Logistic:
    """Returns the weights that maximize the penalized likelihood; the objective is concave, so there is one such point."""
    mean, scale = rows.features.mean(axis=0), rows.features.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    design = np.column_stack([(rows.features - mean) / scale, np.ones(len(rows.features))])
    penalty = np.full(design.shape[1], _RIDGE)
    penalty[-1] = 1e-6  # the intercept is free, but for a log in which all answers are alike
    weights = np.zeros(design.shape[1])
    for _ in range(_MOST_STEPS):
        chance = probabilities(design @ weights)
        slope = design.T @ (rows.correct - chance) - penalty * weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, slope)
        weights += step
        if np.abs(step).max() < _CLOSE:
            break
    return Logistic(mean, scale, weights[:-1], float(weights[-1]))
