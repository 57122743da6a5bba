"""Messages of the log, for tests of the lake."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from paideia.ingestion.v1.events_pb2 import SESSION_PHASE_STARTED, LearningEvent

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """A message as the log gives it."""

    topic: str
    value: bytes
    offset: int = 0
    partition: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    sent_at: float = NOW.timestamp()


def told(topic: str, event, *, number: int = 1, offset: int = 0, organization: str = "north", type: str | None = None) -> Told:
    headers = {
        "ce_id": str(UUID(int=number, version=4)),
        "ce_type": type or event.DESCRIPTOR.full_name,
        "ce_organization": organization,
    }
    return Told(topic, event.SerializeToString(), offset, 0, headers)


def session_event(number: int, learner: str = "ada") -> LearningEvent:
    event = LearningEvent(id=str(UUID(int=number, version=4)), learner=f"learners/{learner}", course="courses/fractions")
    event.occur_time.FromDatetime(NOW)
    event.session.session = f"s{number}"
    event.session.phase = SESSION_PHASE_STARTED
    return event
