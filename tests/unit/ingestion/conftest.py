"""A good event to spoil."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from paideia.ingestion.v1.events_pb2 import LearningEvent

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def attempt() -> Callable[..., LearningEvent]:
    def make(learner: str = "ada", id: str = "") -> LearningEvent:
        event = LearningEvent(id=id or str(uuid4()), learner=f"learners/{learner}", course="courses/fractions")
        event.occur_time.FromDatetime(NOW)
        event.attempt.item = "items/half"
        event.attempt.skills.extend(["skills/halves", "skills/fractions"])
        event.attempt.correct = True
        return event

    return make
