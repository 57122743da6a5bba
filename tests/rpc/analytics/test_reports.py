from uuid import uuid4

import pytest
from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.analytics.v1 import analytics_service_pb2 as pb

from domain.shared.errors import InvalidInput
from tests.rpc.analytics.conftest import Analytics, Message, answered, decision, session, updated

WEEK = 7 * 24 * 60
REPORTS = (
    "GetCourseOverview",
    "ListLearnerProgress",
    "GetSkillHeatMap",
    "ListItemStatistics",
    "GetEngagement",
    "GetRetention",
    "GetDecisionReport",
)


def request(method: str, **fields: object) -> object:
    return getattr(pb, f"{method}Request")(**({"course": "courses/maths"} | fields))


@pytest.fixture
async def class_of_three(analytics: Analytics) -> Analytics:
    """Ada, Bob and Cy answer two items; Ada comes back a week later."""
    await analytics.log(
        answered(1, "ada", "i1", True),
        answered(2, "ada", "i2", True, minutes=1),
        answered(3, "bob", "i1", False, minutes=2),
        answered(4, "bob", "i2", False, minutes=3),
        answered(5, "cy", "i1", True, minutes=4),
        answered(6, "ada", "i1", False, minutes=WEEK, hints_revealed=2),
        session("x", False, 0),
        session("x", True, 30),
        session("y", False, WEEK),
        updated(2, 0.85),
        updated(1, 0.4),
    )
    return analytics


async def test_a_course_is_summed_up_with_its_days(class_of_three: Analytics) -> None:
    overview = await class_of_three("GetCourseOverview", request("GetCourseOverview"))
    assert overview.summary == pb.CourseSummary(
        learner_count=3,
        attempt_count=6,
        correct_count=3,
        share_correct=0.5,
        mean_response_seconds=3.5,
        hint_count=2,
        session_count=2,
        completed_session_count=1,
        first_date="2026-09-07",
        last_date="2026-09-14",
    )
    assert [(each.date, each.learner_count, each.attempt_count) for each in overview.days] == [
        ("2026-09-07", 3, 5),
        ("2026-09-14", 1, 1),
    ]
    first = await class_of_three(
        "GetCourseOverview", request("GetCourseOverview", end_date="2026-09-13", learners=["learners/bob"])
    )
    assert (first.summary.attempt_count, first.summary.share_correct) == (2, 0)


async def test_pages_follow_each_other_and_are_bound_to_their_report(class_of_three: Analytics) -> None:
    first = await class_of_three("ListLearnerProgress", request("ListLearnerProgress", page_size=2))
    rest = await class_of_three(
        "ListLearnerProgress", request("ListLearnerProgress", page_size=2, page_token=first.next_page_token)
    )
    assert [each.learner for each in (*first.learners, *rest.learners)] == ["learners/ada", "learners/bob", "learners/cy"]
    assert rest.next_page_token == ""
    with pytest.raises(AioRpcError) as refusal:
        await class_of_three("GetCourseOverview", request("GetCourseOverview", page_token=first.next_page_token))
    assert refusal.value.code() is StatusCode.INVALID_ARGUMENT


async def test_a_learner_sees_the_own_progress_and_nobody_elses(class_of_three: Analytics) -> None:
    mine = pb.GetLearnerReportRequest(learner="learners/ada", course="courses/maths")
    report = await class_of_three("GetLearnerReport", mine, "ada", "LEARNER")
    assert (report.progress.attempt_count, report.progress.active_days, report.progress.mastered_skill_count) == (3, 2, 1)
    assert [(each.skill, each.mastery) for each in report.skills] == [("skills/s1", 0.85)]
    assert [each.date for each in report.days] == ["2026-09-07", "2026-09-14"]
    with pytest.raises(AioRpcError) as refusal:
        await class_of_three("GetLearnerReport", mine, "bob", "LEARNER")
    assert refusal.value.code() is StatusCode.NOT_FOUND
    nobody = pb.GetLearnerReportRequest(learner="learners/nobody", course="courses/maths")
    assert await class_of_three("GetLearnerReport", nobody) == pb.LearnerReport()


async def test_items_are_analysed_by_first_answers(class_of_three: Analytics) -> None:
    (first, second) = (await class_of_three("ListItemStatistics", request("ListItemStatistics"))).items
    assert (first.item, first.learner_count, first.attempt_count) == ("items/i1", 3, 4)
    assert first.difficulty == pytest.approx(2 / 3)
    assert first.discrimination == pytest.approx(1)
    assert first.median_response_seconds == 3
    assert (second.difficulty, second.discrimination) == (0.5, pytest.approx(1))
    later = await class_of_three("ListItemStatistics", request("ListItemStatistics", start_date="2026-09-14"))
    assert [(each.item, each.difficulty, each.HasField("discrimination")) for each in later.items] == [("items/i1", 0, False)]


async def test_cells_weeks_and_cohorts(class_of_three: Analytics) -> None:
    cells = (await class_of_three("GetSkillHeatMap", request("GetSkillHeatMap"))).cells
    assert [(each.learner, each.attempt_count, each.HasField("mastery")) for each in cells] == [
        ("learners/ada", 3, True),
        ("learners/bob", 2, False),
        ("learners/cy", 1, False),
    ]
    weeks = (await class_of_three("GetEngagement", request("GetEngagement"))).weeks
    assert [(each.week, each.learner_count, each.session_completion) for each in weeks] == [
        ("2026-09-07", 3, 1),
        ("2026-09-14", 1, 0),
    ]
    assert weeks[0].median_session_minutes == 30
    retention = (await class_of_three("GetRetention", request("GetRetention"))).cells
    assert [(each.cohort, each.weeks_later, each.active_count, each.learner_count) for each in retention] == [
        ("2026-09-07", 0, 3, 3),
        ("2026-09-07", 1, 1, 3),
    ]


async def test_decisions_are_reported_with_what_came_of_them(analytics: Analytics) -> None:
    await analytics.log(
        answered(1, "ada", "i1", True, decision="decisions/d1"),
        answered(2, "ada", "i1", False, minutes=1, decision="decisions/d1"),
        answered(3, "bob", "i2", False, decision="decisions/d1"),
        decision("d1", "ada", "i1", "i2"),
        decision("d2", "bob", fallbacks=["no prediction"], empty_reason="nothing is due", mode="MODE_REVIEW"),
        decision("d3", "ada", "i3", predicted=0.0, shadow_of="decisions/d1"),
    )
    rows = (await analytics("GetDecisionReport", request("GetDecisionReport"))).rows
    assert [(each.mode, each.shadow, each.decision_count, each.item_count, each.empty_count) for each in rows] == [
        ("PRACTICE", False, 1, 2, 0),
        ("PRACTICE", True, 1, 1, 0),
        ("REVIEW", False, 1, 0, 1),
    ]
    served = rows[0]
    assert (served.answer_count, served.share_correct, served.mean_predicted_correct) == (1, 1, 0.75)
    assert not rows[1].HasField("share_correct")
    assert rows[2].fallback_count == 1


async def test_messages_that_come_again_change_nothing(class_of_three: Analytics) -> None:
    before = [await class_of_three(each, request(each)) for each in REPORTS]
    await class_of_three.log(
        answered(1, "ada", "i1", True), answered(3, "bob", "i1", True, minutes=2), session("x", True, 30), updated(1, 0.4)
    )
    assert [await class_of_three(each, request(each)) for each in REPORTS] == before


@pytest.mark.parametrize("method", REPORTS)
async def test_another_organization_gets_an_empty_report(class_of_three: Analytics, method: str) -> None:
    answer = await class_of_three(method, request(method), organization="south")
    assert answer in (type(answer)(), pb.CourseOverview(summary=pb.CourseSummary()))


@pytest.mark.parametrize("method", REPORTS)
@pytest.mark.parametrize(
    ("fields", "role", "code"),
    [
        ({}, "LEARNER", StatusCode.PERMISSION_DENIED),
        ({}, "AUTHOR", StatusCode.PERMISSION_DENIED),
        ({"course": ""}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"course": "maths"}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"start_date": "07.09.2026"}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"end_date": "2026-02-30"}, "ADMIN", StatusCode.INVALID_ARGUMENT),
        ({"start_date": "2026-09-08", "end_date": "2026-09-07"}, "ADMIN", StatusCode.INVALID_ARGUMENT),
        ({"learners": ["ada"]}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"learners": [f"learners/l{n}" for n in range(1_001)]}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"page_size": -1}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"page_token": "nonsense"}, "TEACHER", StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_refusals(analytics: Analytics, method: str, fields: dict[str, object], role: str, code: StatusCode) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await analytics(method, request(method, **fields), "grace", role)
    assert refusal.value.code() is code


async def test_only_administrators_rebuild(class_of_three: Analytics) -> None:
    wanted = pb.RebuildReportsRequest(request_id=str(uuid4()))
    with pytest.raises(AioRpcError) as refusal:
        await class_of_three("RebuildReports", wanted)
    assert refusal.value.code() is StatusCode.PERMISSION_DENIED
    rebuilt = await class_of_three("RebuildReports", wanted, "root", "ADMIN")
    assert (rebuilt.attempt_count, rebuilt.difference_count) == (6, 0)


@pytest.mark.parametrize(
    "message",
    [
        Message("user.attempts", b"\xff\xff"),
        Message("user.attempts", session("x", True, 3).value),
        Message("user.sessions", answered(1).value),
        Message("user.sessions", session("", True, 3).value),
        Message("user.attempts", answered(1, "a b").value),
        Message("user.attempts", answered(1, score=float("nan")).value),
        Message("user.attempts", answered(1, hints_revealed=-1).value),
        Message("user.attempts", answered(1, minutes=-60 * 24 * 366 * 40).value),
        Message("progress.updates", updated(1, 1.5).value),
        Message("progress.updates", updated(-1, 0.5).value),
        Message("scheduler.decisions", decision("").value),
        Message("scheduler.decisions", decision("d", "ada", "i1", predicted=float("inf")).value),
        Message("billing.events", b""),
        Message("user.attempts", answered(1).value, organization=""),
    ],
)
async def test_what_can_never_be_read_is_for_the_dead_letters(analytics: Analytics, message: Message) -> None:
    with pytest.raises((InvalidInput, DecodeError)):
        await analytics.log(answered(2), message)
    assert (await analytics("ListLearnerProgress", request("ListLearnerProgress"))).learners == []
