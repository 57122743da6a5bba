"""How good predictions were, judged against what happened."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.fitting.measures import quality_of


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
    """Returns the quality of predictions, as `lab.fitting.measures` defines it."""
    if not predicted:
        return PredictionQuality(0, None, None, None)
    truths = np.asarray(correct, dtype=bool)
    found = quality_of(np.asarray(predicted, dtype=float), truths)
    return PredictionQuality(
        found.answers, None if truths.all() or not truths.any() else found.auc, found.log_loss, found.calibration_error
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
