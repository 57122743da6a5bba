"""Progress's events on the wire."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.progress.v1 import events_pb2

from domain.progress.model import ProgressUpdated
from domain.shared.events import EventEnvelope

TOPIC = "progress.updates"
_TYPE = events_pb2.ProgressUpdated.DESCRIPTOR.full_name


def envelope(organization: str, event: ProgressUpdated) -> EventEnvelope:
    """The event's id is the attempt's: there is one of this type for each."""
    answer = event.attempt.answer
    return EventEnvelope(
        id=answer.id,
        type=_TYPE,
        topic=TOPIC,
        organization=organization,
        key=f"learners/{answer.learner}",
        occurred_at=answer.answered_at,
        payload=progress_updated(event).SerializeToString(),
        traceparent=answer.traceparent,
    )


def progress_updated(event: ProgressUpdated) -> events_pb2.ProgressUpdated:
    attempt, answer = event.attempt, event.attempt.answer
    learner = f"learners/{answer.learner}"
    answer_time = Timestamp()
    answer_time.FromDatetime(answer.answered_at)
    response_time = None
    if answer.response_time is not None:
        response_time = Duration()
        response_time.FromTimedelta(answer.response_time)
    return events_pb2.ProgressUpdated(
        learner=learner,
        sequence=attempt.sequence,
        attempt=f"{learner}/attempts/{answer.id}",
        course=f"courses/{answer.course}" if answer.course else "",
        item=f"items/{answer.item}",
        score=answer.score,
        correct=answer.correct,
        predicted_correct=attempt.predicted,
        skills=[
            events_pb2.SkillState(
                skill=f"skills/{each.skill}",
                mean=each.estimate.mean,
                lower=each.estimate.lower,
                upper=each.estimate.upper,
                attempt_count=each.attempt_count,
            )
            for each in event.skills
        ],
        ability_mean=event.ability.mean,
        ability_standard_error=event.ability.standard_error,
        item_difficulty=event.difficulty,
        answer_time=answer_time,
        response_time=response_time,
        decision=f"decisions/{answer.decision}" if answer.decision else "",
    )
