"""From the log's messages to facts. What can never be read raises InvalidInput, or protobuf's DecodeError."""

from datetime import datetime
from math import isfinite

from google.protobuf.timestamp_pb2 import Timestamp
from paideia.ingestion.v1 import events_pb2 as ingestion_pb
from paideia.progress.v1.events_pb2 import ProgressUpdated
from paideia.scheduler.v1.events_pb2 import DecisionMade
from paideia.scheduler.v1.scheduler_service_pb2 import Mode

from domain.analytics.model import Attempted, Decided, MasteryTold, SessionMarked, Shown
from domain.shared.errors import InvalidInput
from domain.shared.ids import canonical_uuid
from services.shared.names import id_in
from services.shared.times import span, when

_LARGEST = 2**31 - 1
_CONTROL = dict.fromkeys([*range(32), 127])
_PHASES = {ingestion_pb.SESSION_PHASE_STARTED: False, ingestion_pb.SESSION_PHASE_ENDED: True}


def attempted(value: bytes) -> Attempted:
    event = ingestion_pb.LearningEvent.FromString(value)
    if event.WhichOneof("payload") != "attempt":
        raise InvalidInput.of("attempt", "must be there")
    attempt = event.attempt
    return Attempted(
        id=canonical_uuid(event.id, "id"),
        learner=id_in(event.learner, "learners", "learner"),
        course=_course(event.course),
        item=id_in(attempt.item, "items", "attempt.item"),
        skills=tuple(id_in(each, "skills", "attempt.skills") for each in attempt.skills),
        correct=attempt.correct,
        score=_share(attempt.score, "attempt.score") if attempt.HasField("score") else float(attempt.correct),
        answered_at=_moment(event.occur_time, "occur_time"),
        response_time=span(attempt.response_time, "attempt.response_time") if attempt.HasField("response_time") else None,
        hints=_count(attempt.hints_revealed, "attempt.hints_revealed"),
        decision=id_in(attempt.decision, "decisions", "attempt.decision") if attempt.decision else "",
        choices=_choices(attempt),
    )


def _choices(attempt: ingestion_pb.Attempt) -> tuple[str, ...]:
    """What was picked; it is text of clients, and is kept free of control characters."""
    told = [each.translate(_CONTROL)[:128] for each in attempt.choices[:50]]
    return tuple(dict.fromkeys(filter(None, told)))


def session_marked(value: bytes) -> SessionMarked:
    event = ingestion_pb.LearningEvent.FromString(value)
    if event.WhichOneof("payload") != "session" or event.session.phase not in _PHASES:
        raise InvalidInput.of("session", "must be there, with a phase")
    if not event.session.session or "\0" in event.session.session:
        raise InvalidInput.of("session.session", "must be there")
    return SessionMarked(
        learner=id_in(event.learner, "learners", "learner"),
        session=event.session.session,
        course=_course(event.course),
        at=_moment(event.occur_time, "occur_time"),
        ended=_PHASES[event.session.phase],
    )


def masteries_told(value: bytes) -> list[MasteryTold]:
    """The mastery of every skill that the update tells of."""
    update = ProgressUpdated.FromString(value)
    learner = id_in(update.learner, "learners", "learner")
    day = _moment(update.answer_time, "answer_time").date()
    return [
        MasteryTold(
            learner,
            id_in(each.skill, "skills", "skills"),
            day,
            _count(update.sequence, "sequence", 2**62),
            _count(update.revision, "revision", 2**62),
            _share(each.mean, "skills.mean"),
            _share(each.lower, "skills.lower"),
            _share(each.upper, "skills.upper"),
        )
        for each in update.skills
    ]


def decided(value: bytes) -> Decided:
    decision = DecisionMade.FromString(value).decision
    return Decided(
        id=id_in(decision.name, "decisions"),
        learner=id_in(decision.learner, "learners", "learner"),
        course=_course(decision.course),
        decided_at=_moment(decision.decide_time, "decide_time"),
        policy_version=_text(decision.policy_version, "policy_version"),
        arm=_text(decision.arm, "arm"),
        # Records from before there were modes are of practice.
        mode=Mode.Name(decision.mode).removeprefix("MODE_") if decision.mode in Mode.values() and decision.mode else "PRACTICE",
        shadow=bool(decision.shadow_of),
        fell_back=bool(decision.fallbacks),
        shown=tuple(
            Shown(
                id_in(each.item, "items", "choices.item"),
                # A prediction is above 0; 0 says that there was none.
                _share(each.predicted_correct, "choices.predicted_correct") or None,
            )
            for each in decision.choices
        ),
    )


def _course(name: str) -> str:
    return id_in(name, "courses", "course") if name else ""


def _moment(message: Timestamp, field: str) -> datetime:
    moment = when(message, field)
    if not 2000 <= moment.year < 9999:
        raise InvalidInput.of(field, "must be after 1999")
    return moment


def _share(value: float, field: str) -> float:
    if not (isfinite(value) and 0 <= value <= 1):
        raise InvalidInput.of(field, "must be from 0 to 1")
    return value


def _count(value: int, field: str, largest: int = _LARGEST) -> int:
    if not 0 <= value <= largest:
        raise InvalidInput.of(field, "must be a count")
    return value


def _text(value: str, field: str) -> str:
    if "\0" in value or len(value) > 1_000:
        raise InvalidInput.of(field, "must be a short text")
    return value
