"""Events of the log: the attempt that a response is, and the publications that the catalog tells of."""

from collections.abc import Sequence

from paideia.ingestion.v1 import events_pb2

from domain.assessment.model.answers import ChoiceAnswer
from domain.assessment.model.responses import Response
from domain.shared.events import EventEnvelope

TOPIC = "user.attempts"
TYPE = "paideia.ingestion.v1.LearningEvent"


def learning_event(response: Response, skills: Sequence[str]) -> events_pb2.LearningEvent:
    """The response as the attempt that progress counts; of the answer it carries what was picked among choices, of the key nothing."""
    event = events_pb2.LearningEvent(
        id=response.id,
        learner=f"learners/{response.learner}",
        occur_time=response.answered_at,
        course=f"courses/{response.course}",
        attempt=events_pb2.Attempt(
            item=f"items/{response.item}",
            skills=[f"skills/{each}" for each in skills],
            score=response.score,
            correct=response.correct,
            item_revision=response.item_revision,
            hints_revealed=response.hints_revealed,
            choices=response.answer.chosen if isinstance(response.answer, ChoiceAnswer) else (),
            decision=f"decisions/{response.decision}" if response.decision else "",
            test_session=f"learners/{response.learner}/testSessions/{response.test_session}" if response.test_session else "",
        ),
    )
    if response.response_time is not None:
        event.attempt.response_time.FromTimedelta(response.response_time)
    return event


def attempt_envelope(organization: str, response: Response, skills: Sequence[str], traceparent: str) -> EventEnvelope:
    return EventEnvelope(
        id=response.id,
        type=TYPE,
        topic=TOPIC,
        organization=organization,
        key=f"learners/{response.learner}",
        occurred_at=response.answered_at,
        payload=learning_event(response, skills).SerializeToString(),
        traceparent=traceparent,
    )
