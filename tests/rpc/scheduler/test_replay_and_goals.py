from math import nan

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from paideia.scheduler.v1 import scheduler_service_pb2 as pb

from tests.rpc.scheduler.making import OTHER, Message, goal, next_items, updated
from tests.rpc.scheduler.test_scheduler import code_of, fields_of
from tests.unit.scheduler.making import ID, NOW

NAME = f"decisions/{ID}"


def plan_goal(**changes: object) -> pb.PlanGoalRequest:
    usual: dict[str, object] = {"learner": "learners/ada", "course": "courses/sql", "goal": goal()}
    return pb.PlanGoalRequest(**usual | changes)


async def answer(scheduler, count: int) -> None:
    """Attempts that both ways have told of: at once, and by the log."""
    updates = [updated(n + 1, item=f"items/item-{n}") for n in range(count)]
    await scheduler.as_service("Observe", pb.ObserveRequest(updates=updates))
    await scheduler.container.progress_updates()([Message(each.SerializeToString()) for each in updates])


async def replay(scheduler) -> pb.ReplayDecisionResponse:
    return await scheduler("ReplayDecision", pb.ReplayDecisionRequest(name=NAME), "tess", "TEACHER")


@pytest.mark.parametrize("mode", [pb.MODE_PRACTICE, pb.MODE_REVIEW, pb.MODE_EXAM, pb.MODE_PLACEMENT])
async def test_a_decision_of_every_mode_is_replayed_to_the_last_digit(scheduler, mode: pb.Mode) -> None:
    await answer(scheduler, 5)
    await scheduler("NextItems", next_items(mode=mode, goal=goal()))
    result = await replay(scheduler)
    assert (result.identical, result.difference) == (True, "")
    assert result.replayed == await scheduler("GetDecision", pb.GetDecisionRequest(name=NAME), "tess", "TEACHER")
    assert result.replayed.mode == mode


async def test_a_decision_is_replayed_after_the_learner_the_policies_and_the_difficulties_moved_on(scheduler) -> None:
    await answer(scheduler, 3)
    await scheduler("NextItems", next_items())
    await answer(scheduler, 9)
    assert (await replay(scheduler)).identical


async def test_until_the_log_has_told_of_its_attempts_a_decision_is_not_replayed(scheduler) -> None:
    await scheduler.as_service("Observe", pb.ObserveRequest(updates=[updated()]))
    await scheduler("NextItems", next_items())
    assert await code_of(replay(scheduler)) is StatusCode.FAILED_PRECONDITION
    await answer(scheduler, 1)
    assert (await replay(scheduler)).identical


async def test_a_repeat_with_another_mode_or_goal_is_refused(scheduler) -> None:
    await scheduler("NextItems", next_items(request_id=OTHER))
    await scheduler("NextItems", next_items())
    for changes in ({"mode": pb.MODE_EXAM}, {"goal": goal()}):
        assert await code_of(scheduler("NextItems", next_items(**changes))) is StatusCode.ALREADY_EXISTS
    assert await scheduler("NextItems", next_items(mode=pb.MODE_PRACTICE)) == await scheduler("NextItems", next_items())


async def test_a_review_with_nothing_to_review_says_why_it_is_empty(scheduler) -> None:
    result = await scheduler("NextItems", next_items(mode=pb.MODE_REVIEW))
    assert (list(result.items), result.empty_reason) == (
        [],
        "Nothing was answered in this course yet, so there is nothing to review.",
    )


async def test_a_plan_leads_to_the_goal_day_by_day(scheduler) -> None:
    await answer(scheduler, 3)
    plan = await scheduler("PlanGoal", plan_goal())
    assert list(plan.goal.skills) == ["skills/a", "skills/b", "skills/c"]
    assert plan.goal.target_mastery == 0.9
    assert 0 <= plan.now.lower <= plan.now.mean <= plan.now.upper <= 1
    assert plan.at_deadline.mean > plan.now.mean
    assert plan.reachable == (plan.minutes_a_day_needed <= 20)
    assert plan.days
    assert "not promised" in plan.assumption
    assert plan.days[0].start_time.seconds == int(NOW.timestamp())


async def test_a_plan_is_the_same_when_asked_for_again(scheduler) -> None:
    assert await scheduler("PlanGoal", plan_goal()) == await scheduler("PlanGoal", plan_goal())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"course": "sql"}, "course"),
        ({"course": "courses/empty", "goal": goal(skills=["skills/z"])}, "goal.skills[0]"),
        ({"goal": None}, "goal"),
        ({"goal": goal(deadline=Timestamp(seconds=int(NOW.timestamp())))}, "goal.deadline"),
        ({"goal": goal(deadline=Timestamp(seconds=int(NOW.timestamp()) + 367 * 86_400))}, "goal.deadline"),
        ({"goal": goal(minutes_a_day=-1)}, "goal.minutes_a_day"),
        ({"minutes_per_item": nan}, "minutes_per_item"),
        ({"minutes_per_item": 121}, "minutes_per_item"),
        ({"minutes_per_item": -1}, "minutes_per_item"),
    ],
)
async def test_plan_goal_refuses_a_wrong_field_by_its_name(scheduler, changes: dict[str, object], field: str) -> None:
    assert await fields_of(scheduler("PlanGoal", plan_goal(**changes))) == {field}


async def test_a_course_without_publication_has_no_plan(scheduler) -> None:
    assert await code_of(scheduler("PlanGoal", plan_goal(course="courses/none"))) is StatusCode.NOT_FOUND


async def test_learners_plan_for_themselves_and_replay_nothing(scheduler) -> None:
    assert await code_of(scheduler("PlanGoal", plan_goal(learner="learners/grace"))) is StatusCode.NOT_FOUND
    await scheduler("NextItems", next_items())
    for method, request in (
        ("ReplayDecision", pb.ReplayDecisionRequest(name=NAME)),
        ("GetDecision", pb.GetDecisionRequest(name=NAME)),
    ):
        assert await code_of(scheduler(method, request)) is StatusCode.PERMISSION_DENIED
    assert (await scheduler("PlanGoal", plan_goal(), "tess", "TEACHER")).skills


async def test_another_organizations_decision_is_not_there_to_replay(scheduler) -> None:
    await scheduler("NextItems", next_items())
    south = scheduler.calls.as_("south", "root", "ADMIN")
    call = scheduler.stub.ReplayDecision(pb.ReplayDecisionRequest(name=NAME), metadata=south)
    assert await code_of(call) is StatusCode.NOT_FOUND
    assert await code_of(scheduler.stub.PlanGoal(plan_goal(), metadata=south)) is StatusCode.NOT_FOUND


@pytest.mark.parametrize("name", ["", "decisions/", "decisions/17", f"courses/{ID}"])
async def test_a_malformed_decision_name_is_not_replayed(scheduler, name: str) -> None:
    request = pb.ReplayDecisionRequest(name=name)
    assert await fields_of(scheduler("ReplayDecision", request, "tess", "TEACHER")) == {"name"}


async def test_an_unknown_decision_is_not_there_to_replay(scheduler) -> None:
    request = pb.ReplayDecisionRequest(name=f"decisions/{OTHER}")
    assert await code_of(scheduler("ReplayDecision", request, "tess", "TEACHER")) is StatusCode.NOT_FOUND
