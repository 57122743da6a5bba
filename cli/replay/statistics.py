"""How good predictions were, judged against what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, slots=True)
class PredictionQuality:
    """Of `count` predictions. `auc` is None when all answers were right or all wrong."""

    count: int
    auc: float | None
    log_loss: float | None
    calibration_error: float | None

    def as_json(self) -> dict[str, float | int | None]:
        return {
            "count": self.count,
            "auc": _rounded(self.auc),
            "log_loss": _rounded(self.log_loss),
            "calibration_error": _rounded(self.calibration_error),
        }


def prediction_quality(predicted: Sequence[float], correct: Sequence[bool]) -> PredictionQuality:
    """Returns AUC (as the Mann-Whitney statistic, ties counted half), mean log-loss in nats, and the calibration error: the mean
    distance between predicted and observed share of correct answers over ten bins of equal count, weighted by count."""
    if not predicted:
        return PredictionQuality(0, None, None, None)
    p = np.asarray(predicted, dtype=float)
    y = np.asarray(correct, dtype=bool)
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    log_loss = float(-np.mean(np.where(y, np.log(clipped), np.log1p(-clipped))))
    calibration = sum(each.size * abs(each.predicted - each.correct) for each in reliability(predicted, correct)) / len(p)
    return PredictionQuality(len(p), _auc(p, y), log_loss, calibration)


class Bin(NamedTuple):
    """Some predictions that lie beside each other: how many, their mean, and the share of the answers that were right."""

    size: int
    predicted: float
    correct: float

    @property
    def error(self) -> float:
        """The standard error of the share."""
        return sqrt(self.correct * (1 - self.correct) / self.size)


def reliability(predicted: Sequence[float], correct: Sequence[bool], bins: int = 10) -> list[Bin]:
    """Returns so many bins with an equal count of answers, by prediction; fewer when there are fewer answers."""
    p, y = np.asarray(predicted, dtype=float), np.asarray(correct, dtype=float)
    parts = np.array_split(np.argsort(p, kind="stable"), max(1, min(bins, len(p))))
    return [Bin(len(each), float(p[each].mean()), float(y[each].mean())) for each in parts if len(each)]


def _auc(p: np.ndarray, y: np.ndarray) -> float | None:
    positives, negatives = int(y.sum()), int((~y).sum())
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(p, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_rank = (last - counts + 1 + last) / 2
    return float((mean_rank[inverse][y].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
