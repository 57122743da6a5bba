"""What the scheduler counts."""

import structlog
from prometheus_client import Counter

log = structlog.get_logger()

decisions_total = Counter(
    "paideia_decisions_total",
    "Decisions by the version of their policy and its stage; shadow_dropped and shadow_failed are silent ones that were not made",
    ["policy", "stage"],
)


def count_decision(policy: str, stage: str) -> None:
    decisions_total.labels(policy, stage).inc()


def note_failed_shadow(policy: str, error: Exception) -> None:
    log.warning("a policy in the shadow could not decide", policy=policy, error=f"{type(error).__name__}: {error}")
    count_decision(policy, "shadow_failed")
