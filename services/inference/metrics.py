"""What inference counts."""

import structlog
from prometheus_client import Counter

log = structlog.get_logger()

predictions_total = Counter(
    "paideia_predictions_total",
    "Learners predicted for by model and stage; shadow_dropped and shadow_failed are silent predictions that were not made",
    ["model", "stage"],
)


def count_prediction(model: str, stage: str) -> None:
    predictions_total.labels(model, stage).inc()


def note_failed_shadow(model: str, error: Exception) -> None:
    log.warning("a model in the shadow could not predict", model=model, error=f"{type(error).__name__}: {error}")
