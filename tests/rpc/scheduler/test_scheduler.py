from math import nan

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status.rpc_status import from_call
from paideia.progress.v1.events_pb2 import AbilityState, SkillState
from paideia.scheduler.v1 import scheduler_service_pb2 as pb

from tests.rpc.scheduler.making import OTHER, goal, next_items, updated
from tests.unit.scheduler.making import ID, NOW


async def fields_of(call) -> set[str]:
    """The fields that a refusal names."""
    with pytest.raises(AioRpcError) as refusal:
        await call
    assert refusal.value.code() is StatusCode.INVALID_ARGUMENT
    found = set()
    for detail in from_call(refusal.value).details:
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            found |= {each.field for each in bad.field_violations}
    return found


async def code_of(call) -> StatusCode:
    with pytest.raises(AioRpcError) as refusal:
        await call
    return refusal.value.code()


async def test_a_learner_gets_items_with_reasons(scheduler) -> None:
    answer = await scheduler("NextItems", next_items())
    assert answer.decision == f"decisions/{ID}"
    assert len(answer.items) == 2
    for item in answer.items:
        assert item.item.startswith("items/")
        assert item.revision >= 1
        assert list(item.skills) == ["skills/a"]
        assert 0 < item.predicted_correct < 1
        assert "Skill a" in item.reason
        assert item.reason_kind != pb.REASON_KIND_UNSPECIFIED


async def test_no_size_means_one(scheduler) -> None:
    assert len((await scheduler("NextItems", next_items(size=0))).items) == 1
    assert await scheduler("NextItems", next_items(size=1)) == await scheduler("NextItems", next_items(size=0))


async def test_a_repeat_returns_the_same_choice_and_another_body_is_refused(scheduler) -> None:
    first = await scheduler("NextItems", next_items())
    await scheduler.as_service("Observe", pb.ObserveRequest(updates=[updated()]))
    assert await scheduler("NextItems", next_items()) == first
    assert await code_of(scheduler("NextItems", next_items(size=3))) is StatusCode.ALREADY_EXISTS


async def test_what_was_observed_changes_the_very_next_decision(scheduler) -> None:
    await scheduler.as_service("Observe", pb.ObserveRequest(updates=[updated()]))
    await scheduler("NextItems", next_items(size=12))
    decision = await scheduler("GetDecision", pb.GetDecisionRequest(name=f"decisions/{ID}"), "tess", "TEACHER")
    assert decision.learner_sequence == 1
    # Skill a is mastered now, so that skill b has opened.
    assert {skill for each in decision.choices for skill in each.skills} == {"skills/a", "skills/b"}
    snapshot = next(each for each in decision.skills if each.skill == "skills/a")
    assert (snapshot.title, snapshot.attempt_count) == ("Skill a", 1)
    assert snapshot.mean == pytest.approx(0.9)
    answered = next(each for each in decision.choices if each.item == "items/item-0")
    assert (answered.attempt_count, answered.correct_count) == (1, 1)
    assert answered.last_answer_time.seconds == int(NOW.timestamp()) - 60


async def test_the_record_holds_what_was_decided(scheduler) -> None:
    answer = await scheduler("NextItems", next_items())
    decision = await scheduler("GetDecision", pb.GetDecisionRequest(name=answer.decision), "tess", "TEACHER")
    assert [each.item for each in decision.choices] == [each.item for each in answer.items]
    assert (decision.learner, decision.course, decision.publication) == ("learners/ada", "courses/sql", 1)
    assert (decision.policy_version, decision.size) == ("practice-2", 2)
    assert {each.constraint: each.count for each in decision.constraints} == {"prerequisites": 8}
    assert sum(each.propensity for each in decision.candidates) == pytest.approx(1.0)


async def test_a_course_without_items_says_why_the_list_is_empty(scheduler) -> None:
    answer = await scheduler("NextItems", next_items(course="courses/empty"))
    assert (list(answer.items), answer.empty_reason) == ([], "This course has no items yet.")


async def test_a_teacher_may_ask_for_a_learner(scheduler) -> None:
    assert (await scheduler("NextItems", next_items(), "tess", "TEACHER")).items


async def test_every_audience_gets_its_explanation(scheduler) -> None:
    name = (await scheduler("NextItems", next_items())).decision
    own = await scheduler("ExplainDecision", pb.ExplainDecisionRequest(name=name))
    assert own.decision == name
    assert len(own.items) == 2
    assert not own.items[0].terms
    teacher = await scheduler(
        "ExplainDecision", pb.ExplainDecisionRequest(name=name, audience=pb.AUDIENCE_TEACHER), "tess", "TEACHER"
    )
    assert "chance of a right answer" in teacher.items[0].text
    auditor = await scheduler(
        "ExplainDecision", pb.ExplainDecisionRequest(name=name, audience=pb.AUDIENCE_AUDITOR), "root", "ADMIN"
    )
    assert "practice-2" in auditor.summary
    assert len(auditor.items[0].terms) == 6


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"request_id": "not-a-uuid"}, "request_id"),
        ({"course": "sql"}, "course"),
        ({"course": "courses/"}, "course"),
        ({"course": "courses/a/items/b"}, "course"),
        ({"course": "courses/" + "x" * 200}, "course"),
        ({"size": -1}, "size"),
        ({"size": 51}, "size"),
        ({"size": 2**31 - 1}, "size"),
        ({"mode": 9}, "mode"),
        ({"goal": pb.Goal(minutes_a_day=20)}, "goal.deadline"),
        ({"goal": goal(minutes_a_day=0)}, "goal.minutes_a_day"),
        ({"goal": goal(minutes_a_day=nan)}, "goal.minutes_a_day"),
        ({"goal": goal(minutes_a_day=1_441)}, "goal.minutes_a_day"),
        ({"goal": goal(target_mastery=1.0)}, "goal.target_mastery"),
        ({"goal": goal(target_mastery=nan)}, "goal.target_mastery"),
        ({"goal": goal(deadline=Timestamp(seconds=10**12))}, "goal.deadline"),
        ({"goal": goal(skills=["skills/a", "b"])}, "goal.skills[1]"),
        ({"goal": goal(skills=["skills/a", "skills/none"])}, "goal.skills[1]"),
        ({"goal": goal(skills=["skills/a"] * 1_001)}, "goal.skills"),
    ],
)
async def test_next_items_refuses_a_wrong_field_by_its_name(scheduler, changes: dict[str, object], field: str) -> None:
    assert await fields_of(scheduler("NextItems", next_items(**changes))) == {field}


@pytest.mark.parametrize("learner", ["", "ada", "users/ada", "learners/", "learners/-"])
async def test_next_items_refuses_a_malformed_learner(scheduler, learner: str) -> None:
    assert await fields_of(scheduler("NextItems", next_items(learner=learner), "tess", "TEACHER")) == {"learner"}


async def test_next_items_refuses_a_course_that_has_no_publication(scheduler) -> None:
    assert await code_of(scheduler("NextItems", next_items(course="courses/none"))) is StatusCode.NOT_FOUND


async def test_other_learners_do_not_exist_for_a_learner(scheduler) -> None:
    assert await code_of(scheduler("NextItems", next_items(learner="learners/grace"))) is StatusCode.NOT_FOUND
    name = (await scheduler("NextItems", next_items())).decision
    assert await code_of(scheduler("ExplainDecision", pb.ExplainDecisionRequest(name=name), "grace")) is StatusCode.NOT_FOUND


async def test_another_organization_does_not_exist(scheduler) -> None:
    name = (await scheduler("NextItems", next_items())).decision
    south = scheduler.calls.as_("south", "root", "ADMIN")
    for method, message in (
        ("GetDecision", pb.GetDecisionRequest(name=name)),
        ("ExplainDecision", pb.ExplainDecisionRequest(name=name)),
        ("NextItems", next_items(request_id=OTHER)),
    ):
        assert await code_of(getattr(scheduler.stub, method)(message, metadata=south)) is StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("method", "message", "role"),
    [
        ("GetDecision", pb.GetDecisionRequest(name=f"decisions/{ID}"), "LEARNER"),
        ("NextItems", next_items(), "AUTHOR"),
        ("Observe", pb.ObserveRequest(updates=[updated()]), "ADMIN"),
        ("ExplainDecision", pb.ExplainDecisionRequest(name=f"decisions/{ID}", audience=pb.AUDIENCE_TEACHER), "LEARNER"),
        ("ExplainDecision", pb.ExplainDecisionRequest(name=f"decisions/{ID}", audience=pb.AUDIENCE_AUDITOR), "LEARNER"),
    ],
)
async def test_who_may_not_is_refused(scheduler, method: str, message: object, role: str) -> None:
    assert await code_of(scheduler(method, message, "ada", role)) is StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("method", ["GetDecision", "ExplainDecision"])
@pytest.mark.parametrize("name", ["", "decisions/", "decisions/17", f"courses/{ID}", ID])
async def test_a_malformed_decision_name_is_refused(scheduler, method: str, name: str) -> None:
    request_of = {"GetDecision": pb.GetDecisionRequest, "ExplainDecision": pb.ExplainDecisionRequest}[method]
    assert await fields_of(scheduler(method, request_of(name=name), "tess", "TEACHER")) == {"name"}


@pytest.mark.parametrize("method", ["GetDecision", "ExplainDecision"])
async def test_an_unknown_decision_is_not_found(scheduler, method: str) -> None:
    request_of = {"GetDecision": pb.GetDecisionRequest, "ExplainDecision": pb.ExplainDecisionRequest}[method]
    assert await code_of(scheduler(method, request_of(name=f"decisions/{OTHER}"), "tess", "TEACHER")) is StatusCode.NOT_FOUND


async def test_an_unknown_audience_is_refused(scheduler) -> None:
    name = (await scheduler("NextItems", next_items())).decision
    assert await fields_of(scheduler("ExplainDecision", pb.ExplainDecisionRequest(name=name, audience=9))) == {"audience"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"learner": "ada"}, "learner"),
        ({"sequence": 0}, "sequence"),
        ({"sequence": 2**33}, "sequence"),
        ({"revision": -1}, "revision"),
        ({"revision": 1, "abilities": [AbilityState(mean=nan)]}, "abilities[0].mean"),
        ({"course": "sql"}, "course"),
        ({"item": ""}, "item"),
        ({"score": 1.5}, "score"),
        ({"score": nan}, "score"),
        ({"ability_mean": nan}, "ability_mean"),
        ({"ability_standard_error": float("inf")}, "ability_standard_error"),
        ({"item_difficulty": nan}, "item_difficulty"),
        ({"answer_time": Timestamp(seconds=10**12)}, "answer_time"),
        ({"skills": [SkillState(skill="a", mean=0.5)]}, "skills[0].skill"),
        ({"skills": [SkillState(skill="skills/a", mean=nan)]}, "skills[0].mean"),
        ({"skills": [SkillState(skill="skills/a", upper=1.1)]}, "skills[0].upper"),
        ({"skills": [SkillState(skill="skills/a", attempt_count=-1)]}, "skills[0].attempt_count"),
    ],
)
async def test_observe_refuses_a_wrong_field_by_its_name(scheduler, changes: dict[str, object], field: str) -> None:
    request = pb.ObserveRequest(updates=[updated(1), updated(2, **changes) if "sequence" not in changes else updated(**changes)])
    assert await fields_of(scheduler.as_service("Observe", request)) == {f"updates[1].{field}"}


@pytest.mark.parametrize("count", [0, 1_001])
async def test_observe_refuses_too_few_and_too_many(scheduler, count: int) -> None:
    request = pb.ObserveRequest(updates=[updated(n + 1) for n in range(count)])
    assert await fields_of(scheduler.as_service("Observe", request)) == {"updates"}


async def test_an_attempt_outside_any_course_is_observed(scheduler) -> None:
    await scheduler.as_service("Observe", pb.ObserveRequest(updates=[updated(course="")]))
    await scheduler("NextItems", next_items())
    decision = await scheduler("GetDecision", pb.GetDecisionRequest(name=f"decisions/{ID}"), "tess", "TEACHER")
    assert decision.learner_sequence == 1
    assert "ability_unknown" in decision.fallbacks
