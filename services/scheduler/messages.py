"""Between the scheduler's messages and its domain."""

from math import isfinite

from paideia.progress.v1.events_pb2 import ProgressUpdated
from paideia.scheduler.v1 import scheduler_service_pb2 as pb

from domain.scheduler.explain import Audience, Explanation
from domain.scheduler.model import (
    CourseAbility,
    Decision,
    DecisionRequest,
    LearnerUpdate,
    Mode,
    ProgressUpdate,
    ReasonKind,
    Repair,
    SkillMastery,
)
from domain.scheduler.state import MOST_REPAIRS, MOST_UPDATES
from domain.shared.errors import InvalidInput
from domain.shared.ids import canonical_uuid
from services.scheduler.goal_messages import goal_in
from services.shared.names import id_in
from services.shared.times import when

MOST_ITEMS = 50
_MODES: dict[pb.Mode, Mode] = {pb.MODE_UNSPECIFIED: Mode.PRACTICE} | {getattr(pb, f"MODE_{mode.name}"): mode for mode in Mode}
_KINDS: dict[ReasonKind, pb.ReasonKind] = {kind: getattr(pb, f"REASON_KIND_{kind.name}") for kind in ReasonKind}
_AUDIENCES = {
    pb.AUDIENCE_UNSPECIFIED: Audience.LEARNER,
    pb.AUDIENCE_LEARNER: Audience.LEARNER,
    pb.AUDIENCE_TEACHER: Audience.TEACHER,
    pb.AUDIENCE_AUDITOR: Audience.AUDITOR,
}


def decision_request(request: pb.NextItemsRequest) -> DecisionRequest:
    if not 0 <= request.size <= MOST_ITEMS:
        raise InvalidInput.of("size", f"must be from 1 to {MOST_ITEMS}, or 0 for 1")
    return DecisionRequest(
        id=canonical_uuid(request.request_id, "request_id"),
        learner=id_in(request.learner, "learners", "learner"),
        course=id_in(request.course, "courses", "course"),
        size=request.size or 1,
        mode=_mode_in(request.mode),
        goal=goal_in(request.goal) if request.HasField("goal") else None,
    )


def _mode_in(mode: pb.Mode) -> Mode:
    if mode not in _MODES:
        raise InvalidInput.of("mode", f"must be one of {', '.join(each.name for each in Mode)}")
    return _MODES[mode]


def decision_id_in(name: str) -> str:
    return canonical_uuid(id_in(name, "decisions"), "name")


def audience_in(audience: pb.Audience) -> Audience:
    if audience not in _AUDIENCES:
        raise InvalidInput.of("audience", "must be LEARNER, TEACHER or AUDITOR")
    return _AUDIENCES[audience]


def next_items_response(decision: Decision) -> pb.NextItemsResponse:
    return pb.NextItemsResponse(
        decision=f"decisions/{decision.id}",
        items=[
            pb.ChosenItem(
                item=f"items/{each.item}",
                revision=each.revision,
                skills=[f"skills/{skill}" for skill in each.skills],
                predicted_correct=each.predicted_correct,
                reason=each.reason,
                reason_kind=_KINDS[each.reason_kind],
            )
            for each in decision.choices
        ],
        empty_reason=decision.empty_reason,
    )


def explanation_message(explanation: Explanation) -> pb.Explanation:
    return pb.Explanation(
        decision=f"decisions/{explanation.decision}",
        summary=explanation.summary,
        items=[
            pb.ItemExplanation(
                item=f"items/{each.item}",
                text=each.text,
                terms=[pb.Term(kind=_KINDS[term.kind], value=term.value, weight=term.weight) for term in each.terms],
                counterfactual=each.counterfactual,
            )
            for each in explanation.items
        ],
    )


def update_in(message: ProgressUpdated, field: str) -> LearnerUpdate:
    """Returns the update, or the repair if it has a revision, or raises InvalidInput naming the field below `field`."""
    at = f"{field}." if field else ""
    if not 1 <= message.sequence <= MOST_UPDATES:
        raise InvalidInput.of(f"{at}sequence", f"must be from 1 to {MOST_UPDATES:,}")
    if not 0 <= message.revision <= MOST_REPAIRS:
        raise InvalidInput.of(f"{at}revision", f"must be from 0 to {MOST_REPAIRS:,}")
    return _repair_in(message, at) if message.revision else _attempt_in(message, at)


def _repair_in(message: ProgressUpdated, at: str) -> Repair:
    return Repair(
        learner=id_in(message.learner, "learners", f"{at}learner"),
        sequence=message.sequence,
        revision=message.revision,
        skills=_skills_in(message, at),
        abilities=tuple(
            CourseAbility(
                id_in(each.course, "courses", f"{at}abilities[{number}].course") if each.course else "",
                _finite(each.mean, f"{at}abilities[{number}].mean"),
                _finite(each.standard_error, f"{at}abilities[{number}].standard_error"),
            )
            for number, each in enumerate(message.abilities)
        ),
    )


def _attempt_in(message: ProgressUpdated, at: str) -> ProgressUpdate:
    if not 0.0 <= message.score <= 1.0:
        raise InvalidInput.of(f"{at}score", "must be in [0, 1]")
    for name in ("ability_mean", "ability_standard_error", "item_difficulty"):
        _finite(getattr(message, name), f"{at}{name}")
    # What is checked with `when` is kept in seconds: the state computes with them.
    answered_at = when(message.answer_time, f"{at}answer_time").timestamp()
    taken = message.response_time
    return ProgressUpdate(
        learner=id_in(message.learner, "learners", f"{at}learner"),
        sequence=message.sequence,
        course=id_in(message.course, "courses", f"{at}course") if message.course else "",
        item=id_in(message.item, "items", f"{at}item"),
        score=message.score,
        correct=message.correct,
        skills=_skills_in(message, at),
        ability=message.ability_mean,
        ability_error=message.ability_standard_error,
        item_difficulty=message.item_difficulty,
        answered_at=answered_at,
        response_seconds=taken.seconds + taken.nanos / 1e9 if message.HasField("response_time") else None,
    )


def _skills_in(message: ProgressUpdated, at: str) -> tuple[SkillMastery, ...]:
    return tuple(
        SkillMastery(
            id_in(each.skill, "skills", f"{at}skills[{number}].skill"),
            _probability(each.mean, f"{at}skills[{number}].mean"),
            _probability(each.lower, f"{at}skills[{number}].lower"),
            _probability(each.upper, f"{at}skills[{number}].upper"),
            _count(each.attempt_count, f"{at}skills[{number}].attempt_count"),
        )
        for number, each in enumerate(message.skills)
    )


def _finite(value: float, field: str) -> float:
    if not isfinite(value):
        raise InvalidInput.of(field, "must be a finite number")
    return value


def _probability(value: float, field: str) -> float:
    if not 0.0 <= value <= 1.0:
        raise InvalidInput.of(field, "must be in [0, 1]")
    return value


def _count(value: int, field: str) -> int:
    if not 0 <= value < 2**32:
        raise InvalidInput.of(field, "must be from 0 to 4,294,967,295")
    return value
