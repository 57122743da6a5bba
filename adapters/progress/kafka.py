"""Progress's events on the wire."""

from uuid import UUID, uuid5

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.progress.v1 import events_pb2

from domain.progress.model import Ability, Attempt, MasteryRecomputed, ProgressUpdated, SkillMastery
from domain.shared.events import EventEnvelope

TOPIC = "progress.updates"
_TYPE = events_pb2.ProgressUpdated.DESCRIPTOR.full_name
_REPAIRS = UUID("5b0c5d1e-7a53-4c0e-9a8e-0f1d8b7c2a64")


def envelope(organization: str, event: ProgressUpdated | MasteryRecomputed) -> EventEnvelope:
    """The event's id is the attempt's, of which there is one of this type; that of a repair follows from the learner and its number."""
    if isinstance(event, MasteryRecomputed):
        answer, message = event.newest.answer, mastery_recomputed(event)
        identity = str(uuid5(_REPAIRS, f"{organization}/{answer.learner}/{event.revision}"))
    else:
        answer, message = event.attempt.answer, progress_updated(event)
        identity = answer.id
    return EventEnvelope(
        id=identity,
        type=_TYPE,
        topic=TOPIC,
        organization=organization,
        key=f"learners/{answer.learner}",
        occurred_at=answer.answered_at,
        payload=message.SerializeToString(),
        traceparent=answer.traceparent,
    )


def progress_updated(event: ProgressUpdated) -> events_pb2.ProgressUpdated:
    message = _attempt(event.attempt)
    message.skills.extend(map(_skill, event.skills))
    message.ability_mean, message.ability_standard_error = event.ability.mean, event.ability.standard_error
    message.item_difficulty = event.difficulty
    return message


def mastery_recomputed(event: MasteryRecomputed) -> events_pb2.ProgressUpdated:
    message = _attempt(event.newest)
    message.revision = event.revision
    message.skills.extend(map(_skill, event.skills))
    message.abilities.extend(map(_ability, event.abilities))
    for ability in event.abilities:
        if ability.course == event.newest.answer.course:
            message.ability_mean, message.ability_standard_error = ability.mean, ability.standard_error
    message.item_difficulty = event.difficulty
    return message


def _attempt(attempt: Attempt) -> events_pb2.ProgressUpdated:
    answer = attempt.answer
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
        course=_course(answer.course),
        item=f"items/{answer.item}",
        score=answer.score,
        correct=answer.correct,
        predicted_correct=attempt.predicted,
        answer_time=answer_time,
        response_time=response_time,
        decision=f"decisions/{answer.decision}" if answer.decision else "",
    )


def _skill(mastery: SkillMastery) -> events_pb2.SkillState:
    return events_pb2.SkillState(
        skill=f"skills/{mastery.skill}",
        mean=mastery.estimate.mean,
        lower=mastery.estimate.lower,
        upper=mastery.estimate.upper,
        attempt_count=mastery.attempt_count,
    )


def _ability(ability: Ability) -> events_pb2.AbilityState:
    return events_pb2.AbilityState(course=_course(ability.course), mean=ability.mean, standard_error=ability.standard_error)


def _course(course: str) -> str:
    return f"courses/{course}" if course else ""
