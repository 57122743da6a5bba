"""Progress over a real channel, behind the real interceptors, with in-memory adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status.rpc_status import from_call
from paideia.ingestion.v1 import events_pb2 as ingestion_pb
from paideia.progress.v1 import progress_service_pb2 as pb
from paideia.progress.v1.progress_service_pb2_grpc import ProgressServiceStub, add_ProgressServiceServicer_to_server

from adapters.progress.kafka import progress_updated
from adapters.progress.memory import MemoryProgress
from domain.progress.use_cases.get_attempt import GetAttempt
from domain.progress.use_cases.get_mastery import GetMastery
from domain.progress.use_cases.get_model_version import GetModelVersion
from domain.progress.use_cases.get_skill_mastery import GetSkillMastery
from domain.progress.use_cases.list_attempts import ListAttempts
from domain.progress.use_cases.list_model_versions import ListModelVersions
from domain.progress.use_cases.list_skill_masteries import ListSkillMasteries
from domain.progress.use_cases.recompute_mastery import RecomputeMastery
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.progress.versions import DOCUMENTS, MODELS
from services.progress.group_commit import GroupCommit
from services.progress.servicer import ProgressServicer, ProgressUseCases
from services.shared.sights import Sight, Sights
from services.shared.times import timestamp
from tests.rpc.serving import Calls, serving

NOW = datetime(2026, 9, 1, 8, 30, 15, 123456, tzinfo=UTC)
Metadata = tuple[tuple[str, str], ...]
ADA = Calls.as_()
TEACHER = Calls.as_("north", "tess", "TEACHER")
ADMIN = Calls.as_("north", "root", "ADMIN")
SERVICE = None
"""Stands for a service's token, which is good for minutes: it is signed when a test runs, not when tests are collected."""
UNKNOWN = str(UUID(int=1))


def signed(metadata: Metadata | None) -> Metadata:
    return Calls.as_service() if metadata is SERVICE else metadata


@dataclass(frozen=True)
class Progress:
    stub: ProgressServiceStub
    store: MemoryProgress

    async def call(self, method: str, request: Message, metadata: Metadata | None) -> Message:
        answer: Message = await getattr(self.stub, method)(request, metadata=signed(metadata), timeout=10)
        return answer

    async def record(self, *events: ingestion_pb.LearningEvent, metadata: Metadata | None = SERVICE) -> list[pb.RecordOutcome]:
        answer = await self.stub.RecordAttempts(pb.RecordAttemptsRequest(events=events), metadata=signed(metadata), timeout=10)
        return list(answer.outcomes)


@pytest.fixture
async def progress() -> AsyncIterator[Progress]:
    async with served() as progress:
        yield progress


@asynccontextmanager
async def served(sights: Sights | None = None) -> AsyncIterator[Progress]:
    store = MemoryProgress()
    use_cases = ProgressUseCases(
        GetMastery(store.unit, MODELS, lambda: NOW),
        GetSkillMastery(store.unit, MODELS, lambda: NOW),
        GetAttempt(store.unit),
        ListAttempts(store.unit),
        ListSkillMasteries(store.unit, MODELS, lambda: NOW),
        RecomputeMastery(store.unit, MODELS, lambda: NOW),
        GetModelVersion(MODELS),
        ListModelVersions(MODELS),
    )
    servicer = ProgressServicer(GroupCommit(RecordAttempts(store.unit, lambda: NOW)), use_cases, progress_updated)
    async with serving(lambda server: add_ProgressServiceServicer_to_server(servicer, server), sights=sights) as calls:
        yield Progress(ProgressServiceStub(calls.channel), store)


def event(learner: str = "ada", item: str = "half", *skills: str, correct: bool = True) -> ingestion_pb.LearningEvent:
    told = ingestion_pb.LearningEvent(
        id=str(uuid4()),
        learner=f"learners/{learner}",
        course="courses/fractions",
        attempt=ingestion_pb.Attempt(
            item=f"items/{item}", skills=[f"skills/{each}" for each in skills or ("add",)], correct=correct
        ),
    )
    told.occur_time.FromDatetime(NOW)
    return told


async def test_an_answer_is_counted_and_read_back(progress: Progress) -> None:
    told = event("ada", "half", "add", "simplify")
    told.attempt.response_time.FromTimedelta(timedelta(seconds=2.5))
    told.attempt.decision = f"decisions/{UNKNOWN}"
    told.attempt.item_revision = 4
    told.attempt.hints_revealed = 1
    [outcome] = await progress.record(told)
    assert outcome.verdict == pb.RECORD_VERDICT_COUNTED
    assert outcome.update.sequence == 1
    assert [each.skill for each in outcome.update.skills] == ["skills/add", "skills/simplify"]
    name = f"learners/ada/attempts/{told.id}"
    attempt = await progress.stub.GetAttempt(pb.GetAttemptRequest(name=name), metadata=ADA)
    assert attempt.name == outcome.update.attempt == name
    assert attempt.predicted_correct == outcome.update.predicted_correct
    assert 0 < attempt.predicted_correct < 1
    assert (attempt.course, attempt.item, list(attempt.skills)) == (told.course, told.attempt.item, list(told.attempt.skills))
    assert (attempt.score, attempt.correct, attempt.hints_revealed, attempt.item_revision) == (1, True, 1, 4)
    assert attempt.response_time == told.attempt.response_time
    assert attempt.answer_time == told.occur_time
    assert attempt.decision == told.attempt.decision
    assert attempt.model_version


async def test_each_event_gets_its_own_verdict(progress: Progress) -> None:
    good, other = event(), event()
    page = ingestion_pb.LearningEvent(id=str(uuid4()), learner="learners/ada", page_view=ingestion_pb.PageView(page="x"))
    untimed = event()
    untimed.ClearField("occur_time")
    endless = event()
    endless.occur_time.seconds = 2**62
    nan = event()
    nan.attempt.score = float("nan")
    altered = ingestion_pb.LearningEvent.FromString(good.SerializeToString())
    altered.attempt.correct = False
    outcomes = await progress.record(good, page, untimed, endless, nan, altered, good, other)
    assert [each.verdict for each in outcomes] == [
        pb.RECORD_VERDICT_COUNTED,
        pb.RECORD_VERDICT_REFUSED,
        pb.RECORD_VERDICT_REFUSED,
        pb.RECORD_VERDICT_REFUSED,
        pb.RECORD_VERDICT_REFUSED,
        pb.RECORD_VERDICT_CONFLICT,
        pb.RECORD_VERDICT_REPEATED,
        pb.RECORD_VERDICT_COUNTED,
    ]
    assert [each.reason.split(":")[0] for each in outcomes[1:5]] == ["attempt", "occur_time", "occur_time", "attempt.score"]
    assert all(each.HasField("update") == (each.verdict == pb.RECORD_VERDICT_COUNTED) for each in outcomes)


async def test_mastery_shows_skills_abilities_and_the_evidence(progress: Progress) -> None:
    told = [event("ada", f"i{place}", "add", correct=place != 2) for place in range(25)]
    await progress.record(*told)
    mastery = await progress.stub.GetMastery(pb.GetMasteryRequest(learner="learners/ada"), metadata=ADA)
    [row] = mastery.skills
    assert mastery.attempt_count == row.attempt_count == 25
    assert row.correct_count == 24
    assert row.lower <= row.mean <= row.upper
    assert not row.evidence
    assert [each.course for each in mastery.abilities] == ["courses/fractions"]
    assert mastery.abilities[0].standard_error > 0
    skill = await progress.stub.GetSkillMastery(pb.GetSkillMasteryRequest(name=row.name), metadata=ADA)
    assert len(skill.evidence) == 20
    assert skill.evidence[0].attempt == f"learners/ada/attempts/{told[-1].id}"
    assert skill.evidence[0].mean_after == skill.mean == row.mean


async def test_a_learner_who_never_answered_has_an_empty_mastery(progress: Progress) -> None:
    mastery = await progress.stub.GetMastery(pb.GetMasteryRequest(learner="learners/bob"), metadata=TEACHER)
    assert mastery == pb.Mastery(learner="learners/bob", as_of=timestamp(NOW))


async def test_attempts_are_listed_page_by_page(progress: Progress) -> None:
    await progress.record(event("bob"), event(), event(), event("bob"), event())
    request = pb.ListAttemptsRequest(parent="learners/-", page_size=2, course="courses/fractions")
    seen: list[tuple[str, int]] = []
    while True:
        page = await progress.stub.ListAttempts(request, metadata=TEACHER)
        seen += [(each.name.split("/")[1], each.sequence) for each in page.attempts]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [("ada", 1), ("ada", 2), ("ada", 3), ("bob", 1), ("bob", 2)]
    own = await progress.stub.ListAttempts(pb.ListAttemptsRequest(parent="learners/ada"), metadata=ADA)
    assert len(own.attempts) == 3


async def test_masteries_of_a_course_are_listed_page_by_page(progress: Progress) -> None:
    await progress.record(event("bob", "half", "simplify", "add"), event())
    request = pb.ListSkillMasteriesRequest(course="courses/fractions", page_size=2)
    first = await progress.stub.ListSkillMasteries(request, metadata=TEACHER)
    request.page_token = first.next_page_token
    rest = await progress.stub.ListSkillMasteries(request, metadata=TEACHER)
    names = [each.name for each in (*first.masteries, *rest.masteries)]
    assert names == ["learners/ada/skills/add", "learners/bob/skills/add", "learners/bob/skills/simplify"]
    assert not rest.next_page_token


@pytest.mark.parametrize(
    ("method", "request_", "metadata", "code", "field"),
    [
        ("RecordAttempts", pb.RecordAttemptsRequest(), SERVICE, StatusCode.INVALID_ARGUMENT, "events"),
        ("RecordAttempts", pb.RecordAttemptsRequest(events=[event()] * 1001), SERVICE, StatusCode.INVALID_ARGUMENT, "events"),
        ("RecordAttempts", pb.RecordAttemptsRequest(events=[event()]), TEACHER, StatusCode.PERMISSION_DENIED, ""),
        ("RecordAttempts", pb.RecordAttemptsRequest(events=[event()]), (), StatusCode.UNAUTHENTICATED, ""),
        ("GetMastery", pb.GetMasteryRequest(), TEACHER, StatusCode.INVALID_ARGUMENT, "learner"),
        ("GetMastery", pb.GetMasteryRequest(learner="users/ada"), TEACHER, StatusCode.INVALID_ARGUMENT, "learner"),
        ("GetMastery", pb.GetMasteryRequest(learner="learners/a b"), TEACHER, StatusCode.INVALID_ARGUMENT, "learner"),
        ("GetMastery", pb.GetMasteryRequest(learner="learners/bob"), ADA, StatusCode.NOT_FOUND, ""),
        (
            "GetMastery",
            pb.GetMasteryRequest(learner="learners/ada"),
            Calls.as_("north", "al", "AUTHOR"),
            StatusCode.PERMISSION_DENIED,
            "",
        ),
        ("GetSkillMastery", pb.GetSkillMasteryRequest(name="learners/ada"), ADA, StatusCode.INVALID_ARGUMENT, "name"),
        ("GetSkillMastery", pb.GetSkillMasteryRequest(name="learners/ada/skills/never"), ADA, StatusCode.NOT_FOUND, ""),
        ("GetSkillMastery", pb.GetSkillMasteryRequest(name="learners/bob/skills/add"), ADA, StatusCode.NOT_FOUND, ""),
        ("GetAttempt", pb.GetAttemptRequest(name="learners/ada/attempts/7"), ADA, StatusCode.INVALID_ARGUMENT, "name"),
        ("GetAttempt", pb.GetAttemptRequest(name=f"learners/ada/attempts/{UNKNOWN}"), ADA, StatusCode.NOT_FOUND, ""),
        ("GetAttempt", pb.GetAttemptRequest(name=f"learners/bob/attempts/{UNKNOWN}"), ADA, StatusCode.NOT_FOUND, ""),
        ("ListAttempts", pb.ListAttemptsRequest(parent="learners"), TEACHER, StatusCode.INVALID_ARGUMENT, "parent"),
        ("ListAttempts", pb.ListAttemptsRequest(parent="learners/-"), ADA, StatusCode.NOT_FOUND, ""),
        (
            "ListAttempts",
            pb.ListAttemptsRequest(parent="learners/ada", page_size=-1),
            ADA,
            StatusCode.INVALID_ARGUMENT,
            "page_size",
        ),
        (
            "ListAttempts",
            pb.ListAttemptsRequest(parent="learners/ada", page_token="x"),
            ADA,
            StatusCode.INVALID_ARGUMENT,
            "page_token",
        ),
        (
            "ListAttempts",
            pb.ListAttemptsRequest(parent="learners/ada", page_token="WyJhIl0="),
            ADA,
            StatusCode.INVALID_ARGUMENT,
            "page_token",
        ),
        (
            "ListAttempts",
            pb.ListAttemptsRequest(parent="learners/ada", course="fractions"),
            ADA,
            StatusCode.INVALID_ARGUMENT,
            "course",
        ),
        ("ListSkillMasteries", pb.ListSkillMasteriesRequest(), TEACHER, StatusCode.INVALID_ARGUMENT, "course"),
        (
            "ListSkillMasteries",
            pb.ListSkillMasteriesRequest(course="courses/x", page_size=-1),
            TEACHER,
            StatusCode.INVALID_ARGUMENT,
            "page_size",
        ),
        ("ListSkillMasteries", pb.ListSkillMasteriesRequest(course="courses/x"), ADA, StatusCode.PERMISSION_DENIED, ""),
        (
            "GetMastery",
            pb.GetMasteryRequest(learner="learners/ada", as_of=Timestamp(seconds=2**60)),
            ADA,
            StatusCode.INVALID_ARGUMENT,
            "as_of",
        ),
        ("RecomputeMastery", pb.RecomputeMasteryRequest(learner="ada"), ADMIN, StatusCode.INVALID_ARGUMENT, "learner"),
        (
            "RecomputeMastery",
            pb.RecomputeMasteryRequest(learner="learners/ada", order=7),  # type: ignore[arg-type]  # a newer client's
            ADMIN,
            StatusCode.INVALID_ARGUMENT,
            "order",
        ),
        ("RecomputeMastery", pb.RecomputeMasteryRequest(learner="learners/ada"), ADA, StatusCode.PERMISSION_DENIED, ""),
        ("RecomputeMastery", pb.RecomputeMasteryRequest(learner="learners/ada"), TEACHER, StatusCode.PERMISSION_DENIED, ""),
        ("GetModelVersion", pb.GetModelVersionRequest(name="bkt-2"), TEACHER, StatusCode.INVALID_ARGUMENT, "name"),
        ("GetModelVersion", pb.GetModelVersionRequest(name="modelVersions/none"), TEACHER, StatusCode.NOT_FOUND, ""),
        ("GetModelVersion", pb.GetModelVersionRequest(name="modelVersions/none"), ADA, StatusCode.PERMISSION_DENIED, ""),
        ("ListModelVersions", pb.ListModelVersionsRequest(page_size=-1), TEACHER, StatusCode.INVALID_ARGUMENT, "page_size"),
        ("ListModelVersions", pb.ListModelVersionsRequest(page_token="x"), TEACHER, StatusCode.INVALID_ARGUMENT, "page_token"),
    ],
)
async def test_refusals(
    progress: Progress, method: str, request_: Message, metadata: Metadata | None, code: StatusCode, field: str
) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await progress.call(method, request_, metadata)
    assert refusal.value.code() is code
    named = error_details_pb2.BadRequest()
    status = from_call(refusal.value)
    assert status is not None
    for detail in status.details:
        detail.Unpack(named)
    assert [each.field for each in named.field_violations] == ([field] if field else [])


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("GetAttempt", pb.GetAttemptRequest(name="learners/ada/attempts/{id}")),
        ("GetSkillMastery", pb.GetSkillMasteryRequest(name="learners/ada/skills/add")),
    ],
)
async def test_another_organization_finds_nothing(progress: Progress, method: str, request_: Message) -> None:
    told = event()
    await progress.record(told)
    request = type(request_)(name=request_.name.replace("{id}", told.id))  # type: ignore[attr-defined]
    assert await progress.call(method, request, TEACHER)
    with pytest.raises(AioRpcError) as refusal:
        await progress.call(method, request, Calls.as_("south", "tess", "TEACHER"))
    assert refusal.value.code() is StatusCode.NOT_FOUND
    empty = await progress.stub.ListAttempts(
        pb.ListAttemptsRequest(parent="learners/-"), metadata=Calls.as_("south", "tess", "TEACHER")
    )
    assert not empty.attempts


async def test_times_are_kept_to_the_microsecond(progress: Progress) -> None:
    told = event()
    told.occur_time.CopyFrom(Timestamp(seconds=1_600_000_000, nanos=123_456_789))
    await progress.record(told)
    attempt = await progress.stub.GetAttempt(pb.GetAttemptRequest(name=f"learners/ada/attempts/{told.id}"), metadata=ADA)
    assert attempt.answer_time.nanos == 123_456_000
    again = await progress.record(told)
    assert again[0].verdict == pb.RECORD_VERDICT_REPEATED


async def test_mastery_is_told_as_of_a_moment_and_what_time_took_with_it(progress: Progress) -> None:
    await progress.record(*[event("ada", f"i{place}") for place in range(8)])
    later = timestamp(NOW + timedelta(days=60))
    now = await progress.stub.GetMastery(pb.GetMasteryRequest(learner="learners/ada"), metadata=ADA)
    then = await progress.stub.GetMastery(pb.GetMasteryRequest(learner="learners/ada", as_of=later), metadata=ADA)
    assert now.skills[0].mean == pytest.approx(now.skills[0].last_answer_mean)
    assert then.as_of == later
    assert then.skills[0].mean < then.skills[0].last_answer_mean == now.skills[0].last_answer_mean
    assert then.skills[0].upper - then.skills[0].lower > now.skills[0].upper - now.skills[0].lower
    name = "learners/ada/skills/add"
    skill = await progress.stub.GetSkillMastery(pb.GetSkillMasteryRequest(name=name, as_of=later), metadata=ADA)
    listed = await progress.stub.ListSkillMasteries(
        pb.ListSkillMasteriesRequest(course="courses/fractions", as_of=later), metadata=TEACHER
    )
    assert skill.mean == listed.masteries[0].mean == then.skills[0].mean
    assert all(each.mean_retained == pytest.approx(each.mean_before) for each in skill.evidence)


async def test_recomputing_tells_what_is_wrong_repairs_it_and_then_finds_nothing(progress: Progress) -> None:
    await progress.record(*[event("ada", f"i{place}") for place in range(8)])
    async with progress.store.unit("north") as unit:
        state = await unit.records.learner("ada")
        await unit.records.repair(replace(state, courses={}))
        await unit.commit()
    request = pb.RecomputeMasteryRequest(learner="learners/ada", request_id=str(uuid4()), validate_only=True)
    looked = await progress.stub.RecomputeMastery(request, metadata=ADMIN)
    assert not looked.repaired
    assert {(each.name, each.field, each.HasField("stored")) for each in looked.differences} == {
        ("learners/ada/courses/fractions", field, False) for field in ("ability_mean", "ability_variance", "skills")
    }
    repaired = await progress.stub.RecomputeMastery(
        pb.RecomputeMasteryRequest(learner="learners/ada"), metadata=Calls.as_service()
    )
    assert repaired.repaired
    assert [each.course for each in repaired.mastery.abilities] == ["courses/fractions"]
    again = await progress.stub.RecomputeMastery(pb.RecomputeMasteryRequest(learner="learners/ada"), metadata=ADMIN)
    assert (again.difference_count, again.repaired, again.attempts_without_evidence) == (0, False, 0)
    elsewhere = await progress.stub.RecomputeMastery(
        pb.RecomputeMasteryRequest(learner="learners/ada"), metadata=Calls.as_("south", "root", "ADMIN")
    )
    assert (elsewhere.mastery.attempt_count, elsewhere.repaired) == (0, False)


async def test_the_version_that_an_attempt_names_can_be_read(progress: Progress) -> None:
    told = event()
    await progress.record(told)
    attempt = await progress.stub.GetAttempt(pb.GetAttemptRequest(name=f"learners/ada/attempts/{told.id}"), metadata=ADA)
    name = f"modelVersions/{attempt.model_version}"
    version = await progress.stub.GetModelVersion(pb.GetModelVersionRequest(name=name), metadata=TEACHER)
    assert (version.name, version.live, version.digest) == (name, True, MODELS.live.digest)
    assert version.document["tracing"]["ranges"]["learn"][1] == 0.3
    listed = await progress.stub.ListModelVersions(pb.ListModelVersionsRequest(page_size=1), metadata=TEACHER)
    rest = await progress.stub.ListModelVersions(pb.ListModelVersionsRequest(page_token=listed.next_page_token), metadata=TEACHER)
    assert [each.live for each in (*listed.model_versions, *rest.model_versions)] == [True, *[False] * (len(DOCUMENTS) - 1)]


class OwnClasses:
    """Teachers see Ada only, but new ones nobody."""

    async def of(self, organization: str, user: str) -> Sight:
        return Sight(frozenset({"ada"} if user == "tess" else ()))


async def test_a_teacher_who_sees_their_classes_lists_the_masteries_of_those() -> None:
    async with served(OwnClasses()) as progress:
        await progress.record(event("ada"), event("bob"), event("cy"))
        request = pb.ListSkillMasteriesRequest(course="courses/fractions", page_size=1)
        seen = {}
        for who, metadata in (("tess", TEACHER), ("new", Calls.as_("north", "new", "TEACHER")), ("admin", ADMIN)):
            page = await progress.call("ListSkillMasteries", request, metadata)
            seen[who] = [each.name.split("/")[1] for each in page.masteries], bool(page.next_page_token)
        assert seen == {"tess": (["ada"], False), "new": ([], False), "admin": (["ada"], True)}
