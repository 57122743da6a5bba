"""Between progress's messages and its model."""

from paideia.ingestion.v1 import events_pb2 as ingestion_pb
from paideia.progress.v1 import progress_service_pb2 as pb

from domain.progress.model import Ability, Answer, Attempt, Evidence, Mastery, Standing, Verdict
from domain.progress.recomputation import Difference, Order
from domain.progress.use_cases.recompute_mastery import Recomputed
from domain.progress.versions import ModelVersion
from domain.shared.errors import InvalidInput
from services.shared.names import id_in
from services.shared.times import duration, span, timestamp, when

VERDICTS = {
    Verdict.COUNTED: pb.RECORD_VERDICT_COUNTED,
    Verdict.REPEATED: pb.RECORD_VERDICT_REPEATED,
    Verdict.CONFLICT: pb.RECORD_VERDICT_CONFLICT,
    Verdict.REFUSED: pb.RECORD_VERDICT_REFUSED,
}

ORDERS = {
    pb.ATTEMPT_ORDER_UNSPECIFIED: Order.AS_IT_STANDS,
    pb.ATTEMPT_ORDER_COUNTED: Order.COUNTED,
    pb.ATTEMPT_ORDER_OCCURRED: Order.OCCURRED,
}
_KINDS = {"skill": "skills", "course": "courses", "attempt": "attempts"}


def answer_of(event: ingestion_pb.LearningEvent, traceparent: str) -> Answer:
    """Returns the answer an event reports, or raises InvalidInput naming the field that cannot be read."""
    if event.WhichOneof("payload") != "attempt":
        raise InvalidInput.of("attempt", "must be there: only attempts are counted")
    if not event.HasField("occur_time"):
        raise InvalidInput.of("occur_time", "must be there")
    attempt = event.attempt
    return Answer(
        id=event.id,
        learner=_bare(event.learner, "learners", "learner"),
        course=_bare(event.course, "courses", "course") if event.course else "",
        item=_bare(attempt.item, "items", "attempt.item"),
        skills=tuple([_bare(each, "skills", "attempt.skills") for each in attempt.skills]),
        score=attempt.score if attempt.HasField("score") else float(attempt.correct),
        correct=attempt.correct,
        answered_at=when(event.occur_time, "occur_time"),
        item_revision=attempt.item_revision,
        decision=_bare(attempt.decision, "decisions", "attempt.decision") if attempt.decision else "",
        response_time=span(attempt.response_time, "attempt.response_time") if attempt.HasField("response_time") else None,
        hints_revealed=attempt.hints_revealed,
        traceparent=traceparent,
    )


def _bare(name: str, collection: str, field: str) -> str:
    """Like `id_in`, but leaves the id's own form to the answer's check, which is made anyway."""
    prefix, _, bare = name.partition("/")
    return bare if prefix == collection and bare else id_in(name, collection, field)


def attempt_message(attempt: Attempt) -> pb.Attempt:
    answer = attempt.answer
    return pb.Attempt(
        name=attempt_name(attempt),
        course=f"courses/{answer.course}" if answer.course else "",
        item=f"items/{answer.item}",
        item_revision=answer.item_revision,
        skills=[f"skills/{each}" for each in answer.skills],
        score=answer.score,
        correct=answer.correct,
        predicted_correct=attempt.predicted,
        model_version=attempt.model_version,
        decision=f"decisions/{answer.decision}" if answer.decision else "",
        response_time=None if answer.response_time is None else duration(answer.response_time),
        hints_revealed=answer.hints_revealed,
        answer_time=timestamp(answer.answered_at),
        record_time=timestamp(attempt.recorded_at),
        sequence=attempt.sequence,
    )


def attempt_name(attempt: Attempt) -> str:
    return f"learners/{attempt.answer.learner}/attempts/{attempt.answer.id}"


def mastery_message(mastery: Mastery) -> pb.Mastery:
    return pb.Mastery(
        learner=f"learners/{mastery.learner}",
        skills=[skill_mastery_message(each) for each in mastery.skills],
        abilities=[ability_message(each) for each in mastery.abilities],
        attempt_count=mastery.attempt_count,
        as_of=timestamp(mastery.as_of),
    )


def ability_message(ability: Ability) -> pb.Ability:
    course = f"courses/{ability.course}" if ability.course else ""
    return pb.Ability(course=course, mean=ability.mean, standard_error=ability.standard_error)


def skill_mastery_message(standing: Standing) -> pb.SkillMastery:
    mastery = standing.mastery
    return pb.SkillMastery(
        name=f"learners/{mastery.learner}/skills/{mastery.skill}",
        mean=standing.estimate.mean,
        lower=standing.estimate.lower,
        upper=standing.estimate.upper,
        attempt_count=mastery.attempt_count,
        correct_count=mastery.correct_count,
        last_answer_time=timestamp(mastery.last_answered_at),
        last_answer_mean=mastery.estimate.mean,
    )


def evidence_message(evidence: Evidence) -> pb.Evidence:
    answer = evidence.attempt.answer
    return pb.Evidence(
        attempt=attempt_name(evidence.attempt),
        item=f"items/{answer.item}",
        correct=answer.correct,
        mean_before=evidence.move.before,
        mean_retained=evidence.move.retained,
        mean_after=evidence.move.after,
        answer_time=timestamp(answer.answered_at),
    )


def recomputed_message(found: Recomputed) -> pb.RecomputeMasteryResponse:
    learner = f"learners/{found.mastery.learner}"
    return pb.RecomputeMasteryResponse(
        mastery=mastery_message(found.mastery),
        difference_count=found.difference_count,
        differences=[_difference_message(learner, each) for each in found.differences],
        repaired=found.repaired,
        attempts_without_evidence=found.without_evidence,
    )


def _difference_message(learner: str, difference: Difference) -> pb.MasteryDifference:
    collection = _KINDS.get(difference.kind)
    return pb.MasteryDifference(
        name=f"{learner}/{collection}/{difference.of}" if collection else learner,
        field=difference.field,
        stored=difference.stored,
        recomputed=difference.recomputed,
    )


def model_version_message(version: ModelVersion, live: ModelVersion) -> pb.ModelVersion:
    message = pb.ModelVersion(
        name=f"modelVersions/{version.id}", title=version.document["title"], live=version is live, digest=version.digest
    )
    message.document.update(version.document)
    return message
