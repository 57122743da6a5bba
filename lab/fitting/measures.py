"""How good predictions of right and wrong are."""

from math import sqrt
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lab.fitting.artifact import Document, number

Floats: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]

_BINS = 10
_LEAST = 1e-12


class Quality(NamedTuple):
    """`auc` is the chance that a right answer was predicted higher than a wrong one, 0.5 if all answers were alike; `log_loss` is in nats
    an answer; `calibration_error` is the mean distance between predicted and actual over ten bins of an equal count of answers."""

    answers: int
    auc: float
    log_loss: float
    calibration_error: float

    def document(self) -> Document:
        """Returns it for an artifact's statistics, with five significant digits."""
        return {name: value if isinstance(value, int) else number(value, 5) for name, value in self._asdict().items()}


class Bin(NamedTuple):
    """A tenth of the predictions: their mean, the share that was right, and how many they are."""

    predicted: float
    actual: float
    answers: int

    @property
    def error(self) -> float:
        """The standard error of the share."""
        return sqrt(self.actual * (1 - self.actual) / self.answers)


def quality_of(predicted: Floats, correct: Truths) -> Quality:
    """Returns the quality of predictions (n,) of answers (n,); NaN for no answers."""
    if not len(predicted):
        return Quality(0, *[float("nan")] * 3)
    inside = np.clip(predicted, _LEAST, 1 - _LEAST)
    log_loss = -float(np.log(np.where(correct, inside, 1 - inside)).mean())
    error = sum(each.answers * abs(each.predicted - each.actual) for each in calibration(predicted, correct)) / len(predicted)
    return Quality(len(predicted), auc(predicted, correct), log_loss, error)


def auc(predicted: Floats, correct: Truths) -> float:
    """Returns the area under the ROC curve (Mann and Whitney's U), ties counted half; 0.5 if all answers were alike."""
    right = int(correct.sum())
    wrong = len(correct) - right
    if not right or not wrong:
        return 0.5
    _, group, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return float((middle[group][correct].sum() - right * (right + 1) / 2) / (right * wrong))


def calibration(predicted: Floats, correct: Truths) -> list[Bin]:
    """Returns ten bins of an equal count of answers, from the least predicted to the most; fewer for less than ten answers."""
    parts = np.array_split(np.argsort(predicted, kind="stable"), min(_BINS, len(predicted)) or 1)
    return [Bin(float(predicted[each].mean()), float(correct[each].mean()), len(each)) for each in parts if len(each)]
