"""Logistic regression on features: the baseline that a larger model has to beat."""

from dataclasses import dataclass

from domain.inference.response_model import Floats


@dataclass(frozen=True)
class Logistic:
    """Weights of standardized features: log-odds = intercept + Σ weight (feature - mean) / scale. All but the intercept have the shape
    (features,)."""

    mean: Floats
    scale: Floats
    weights: Floats
    intercept: float

    def __call__(self, features: Floats) -> Floats:
        scaled: Floats = (features - self.mean) / self.scale
        return scaled @ self.weights + self.intercept
