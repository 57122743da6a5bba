"""Decisions as they travel: the event, which is also the form of the stored record."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.scheduler.v1 import events_pb2
from paideia.scheduler.v1 import scheduler_service_pb2 as pb

from domain.scheduler.model import Candidate, Choice, Decision, Goal, Mode, ReasonKind, SkillSnapshot
from domain.shared.events import EventEnvelope
from domain.shared.trace import current_traceparent

DECISIONS = "scheduler.decisions"
DECISION_MADE = "paideia.scheduler.v1.DecisionMade"
_KINDS: dict[ReasonKind, pb.ReasonKind] = {kind: getattr(pb, f"REASON_KIND_{kind.name}") for kind in ReasonKind}
_KINDS_IN_ORDER = tuple(_KINDS.values())
_REASONS = {number: kind for kind, number in _KINDS.items()}
_MODES: dict[Mode, pb.Mode] = {mode: getattr(pb, f"MODE_{mode.name}") for mode in Mode}
_MODES_IN = {pb.MODE_UNSPECIFIED: Mode.PRACTICE} | {number: mode for mode, number in _MODES.items()}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Messages are made one by one, and a record has dozens of candidates' terms: that would take longer than the decision itself. After its
# name a candidate's bytes are always laid out alike, so the numbers of all of them are put into copies of what protobuf wrote once.
_NUMBERS = pb.Candidate(
    score=1.0,
    terms=[pb.Term(kind=kind, value=1.0, weight=1.0) for kind in _KINDS_IN_ORDER],
    predicted_correct=1.0,
    propensity=1.0,
).SerializeToString(deterministic=True)
_TERM = np.dtype({"names": ["value", "weight"], "formats": ["<f8", "<f8"], "offsets": [5, 14], "itemsize": 22})
_AFTER_TERMS = 9 + len(_KINDS) * _TERM.itemsize
_PLACES = np.dtype(
    {
        "names": ["score", "terms", "predicted_correct", "propensity"],
        "formats": ["<f8", (_TERM, len(_KINDS)), "<f8", "<f8"],
        "offsets": [1, 9, _AFTER_TERMS + 1, _AFTER_TERMS + 10],
        "itemsize": len(_NUMBERS),
    }
)
_TEXT_1 = 0x0A  # the tag of a text or message in field 1
_CANDIDATES = pb.Decision.CANDIDATES_FIELD_NUMBER << 3 | 2


def decision_made(organization: str, decision: Decision) -> EventEnvelope:
    """Returns the event that tells of a decision; its payload is what `decision_in` reads."""
    return EventEnvelope(
        id=decision.id,
        type=DECISION_MADE,
        topic=DECISIONS,
        organization=organization,
        key=f"learners/{decision.learner}",
        occurred_at=decision.decided_at,
        payload=_field(_TEXT_1, _message_without_candidates(decision).SerializeToString() + _candidates_bytes(decision)),
        traceparent=current_traceparent.get(),
    )


def decision_told_by(organization: str, payload: bytes) -> EventEnvelope:
    """Returns the event whose payload was kept, without its trace."""
    record = events_pb2.DecisionMade.FromString(payload).decision
    return EventEnvelope(
        id=_bare(record.name),
        type=DECISION_MADE,
        topic=DECISIONS,
        organization=organization,
        key=record.learner,
        occurred_at=_moment(record.decide_time),
        payload=payload,
    )


def decision_in(payload: bytes) -> Decision:
    return _decision(events_pb2.DecisionMade.FromString(payload).decision)


def decision_message(decision: Decision) -> pb.Decision:
    message = _message_without_candidates(decision)
    message.MergeFromString(_candidates_bytes(decision))
    return message


def _message_without_candidates(decision: Decision) -> pb.Decision:
    return pb.Decision(
        name=f"decisions/{decision.id}",
        learner=f"learners/{decision.learner}",
        course=f"courses/{decision.course}",
        publication=decision.publication,
        decide_time=_timestamp(decision.decided_at),
        policy_version=decision.policy_version,
        model_version=decision.model_version,
        seed=decision.seed,
        size=decision.size,
        learner_sequence=decision.learner_sequence,
        constraints=[pb.ConstraintCount(constraint=name, count=count) for name, count in decision.constraints],
        choices=[_choice_message(each) for each in decision.choices],
        fallbacks=decision.fallbacks,
        empty_reason=decision.empty_reason,
        skills=[
            pb.SkillSnapshot(
                skill=f"skills/{each.skill}",
                title=each.title,
                mean=each.mean,
                lower=each.lower,
                upper=each.upper,
                attempt_count=each.attempts,
            )
            for each in decision.skills
        ],
        mode=_MODES[decision.mode],
        goal=goal_message(decision.goal) if decision.goal else None,
        arms=[pb.ArmProbability(arm=arm, probability=share) for arm, share in decision.arms],
        arm=decision.arm,
        context=decision.context,
        difficulty_epoch=decision.difficulty_epoch,
        state_lineage=decision.state_lineage,
        engine_version=decision.engine_version,
        runner_up_skills=[f"skills/{each}" for each in decision.runner_up_skills],
        shadow_of=f"decisions/{decision.shadow_of}" if decision.shadow_of else "",
    )


def _candidates_bytes(decision: Decision) -> bytes:
    """Returns the field `candidates` of pb.Decision in its wire form; serialized messages may be joined field by field."""
    if not decision.candidates:
        return b""
    items, scores, values, predicted, propensities = zip(*decision.candidates, strict=True)
    data = bytearray(_NUMBERS * len(items))
    numbers = np.frombuffer(data, _PLACES)
    numbers["score"] = scores
    numbers["terms"]["value"] = values
    numbers["terms"]["weight"] = decision.weights
    numbers["predicted_correct"] = predicted
    numbers["propensity"] = propensities
    each_end = range(len(_NUMBERS), len(data) + 1, len(_NUMBERS))
    return b"".join(
        [
            _field(_CANDIDATES, _field(_TEXT_1, f"items/{item}".encode()) + data[end - len(_NUMBERS) : end])
            for item, end in zip(items, each_end, strict=True)
        ]
    )


def _field(tag: int, content: bytes) -> bytes:
    return _head(tag, len(content)) + content


@lru_cache(maxsize=1_000)
def _head(tag: int, length: int) -> bytes:
    """Returns what stands before a field's content: its tag and its length as a varint."""
    head = bytearray([tag])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head)


def _choice_message(choice: Choice) -> pb.Choice:
    return pb.Choice(
        item=f"items/{choice.item}",
        propensity=choice.propensity,
        reason=choice.reason,
        reason_kind=_KINDS[choice.reason_kind],
        revision=choice.revision,
        skills=[f"skills/{each}" for each in choice.skills],
        predicted_correct=choice.predicted_correct,
        attempt_count=choice.attempts,
        correct_count=choice.correct,
        last_answer_time=choice.last_answered_at and _timestamp(choice.last_answered_at),
        arm_propensity=choice.arm_propensity,
        relaxed=choice.relaxed,
    )


def goal_message(goal: Goal) -> pb.Goal:
    return pb.Goal(
        deadline=_timestamp(goal.deadline),
        minutes_a_day=goal.minutes_a_day,
        target_mastery=goal.target,
        skills=[f"skills/{each}" for each in goal.skills],
    )


def _goal(message: pb.Goal) -> Goal:
    return Goal(
        _moment(message.deadline), message.minutes_a_day, message.target_mastery, tuple(_bare(each) for each in message.skills)
    )


def _decision(message: pb.Decision) -> Decision:
    return Decision(
        id=_bare(message.name),
        learner=_bare(message.learner),
        course=_bare(message.course),
        publication=message.publication,
        decided_at=_moment(message.decide_time),
        policy_version=message.policy_version,
        model_version=message.model_version,
        seed=message.seed,
        size=message.size,
        learner_sequence=message.learner_sequence,
        candidates=tuple(
            Candidate(
                _bare(each.item),
                each.score,
                tuple(term.value for term in each.terms),
                each.predicted_correct,
                each.propensity,
            )
            for each in message.candidates
        ),
        constraints=tuple((each.constraint, each.count) for each in message.constraints),
        choices=tuple(
            Choice(
                item=_bare(each.item),
                revision=each.revision,
                skills=tuple(_bare(skill) for skill in each.skills),
                propensity=each.propensity,
                predicted_correct=each.predicted_correct,
                reason=each.reason,
                reason_kind=_REASONS[each.reason_kind],
                attempts=each.attempt_count,
                correct=each.correct_count,
                last_answered_at=_moment(each.last_answer_time) if each.HasField("last_answer_time") else None,
                arm_propensity=each.arm_propensity or each.propensity,  # the same before there were arms
                relaxed=each.relaxed,
            )
            for each in message.choices
        ),
        skills=tuple(
            SkillSnapshot(_bare(each.skill), each.title, each.mean, each.lower, each.upper, each.attempt_count)
            for each in message.skills
        ),
        weights=tuple(term.weight for term in message.candidates[0].terms) if message.candidates else (),
        fallbacks=tuple(message.fallbacks),
        empty_reason=message.empty_reason,
        mode=_MODES_IN[message.mode],
        goal=_goal(message.goal) if message.HasField("goal") else None,
        arms=tuple((each.arm, each.probability) for each in message.arms),
        arm=message.arm,
        context=tuple(message.context),
        difficulty_epoch=message.difficulty_epoch,
        state_lineage=message.state_lineage,
        engine_version=message.engine_version,
        runner_up_skills=tuple(_bare(each) for each in message.runner_up_skills),
        shadow_of=_bare(message.shadow_of),
    )


def _bare(name: str) -> str:
    return name.partition("/")[2]


def _timestamp(moment: datetime) -> Timestamp:
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def _moment(message: Timestamp) -> datetime:
    return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)
