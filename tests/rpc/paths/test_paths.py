from datetime import timedelta
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.paths.v1 import paths_service_pb2 as pb

from tests.rpc.paths.conftest import override_request, path_request
from tests.unit.paths.making import DUE, TODAY, graph, knowing


def update_request(*fields: str, path_id: str = "p", etag: str = "", **values: object) -> pb.UpdatePathRequest:
    return pb.UpdatePathRequest(
        request_id=str(uuid4()),
        path=pb.Path(name=f"learners/ada/paths/{path_id}", etag=etag, **values),
        update_mask=FieldMask(paths=fields),
    )


def skills(path: pb.Path) -> list[str]:
    return [each.skill.removeprefix("skills/") for each in path.steps]


async def test_a_path_comes_whole_with_every_step_dated_and_explained(paths) -> None:
    paths.masteries.put("north", "ada", knowing(7, count=0.9, add=0.5))
    created = await paths("CreatePath", path_request(title="To fractions", goal_skills=["skills/fractions"], target_mastery=0.9))
    assert created == await paths.got()
    assert created.name == "learners/ada/paths/p"
    assert (created.state, created.creator, created.revision) == (pb.PATH_STATE_ACTIVE, "users/grace", 1)
    assert skills(created) == ["add", "mul", "sub", "fractions"]
    assert [each.target_mastery for each in created.steps] == [0.8, 0.8, 0.8, 0.9]
    assert [each.status for each in created.steps] == [2, 1, 2, 1]
    first, last = created.steps[0], created.steps[-1]
    assert (first.start_date, last.end_date) == (TODAY.isoformat(), created.feasibility.expected_end_date)
    assert first.mastery == 0.5
    assert first.prerequisites == [], "count is mastered and no step"
    assert all(each.reason for each in created.steps)
    assert created.feasibility.verdict == pb.VERDICT_ON_TRACK
    assert created.feasibility.expected_minutes == sum(each.expected_minutes for each in created.steps)
    assert {each.field for each in created.teacher_settings if each.user == "users/grace"} >= {"due_date", "goal_skills"}
    (revision,) = await paths.revisions()
    assert (revision.number, revision.cause, revision.user) == (1, pb.REVISION_CAUSE_CREATED, "users/grace")


async def test_what_is_left_out_has_its_defaults(paths) -> None:
    created = await paths("CreatePath", path_request())
    assert created.target_mastery == 0.8
    assert set(skills(created)) == {"count", "add", "sub", "mul", "fractions"}


async def test_a_goal_that_is_mastered_already_is_a_path_without_steps_and_says_why(paths) -> None:
    paths.masteries.put("north", "ada", knowing(9, count=0.9, add=0.9, sub=0.9, mul=0.9, fractions=0.9))
    created = await paths("CreatePath", path_request())
    assert (len(created.steps), created.state) == (0, pb.PATH_STATE_ACHIEVED)
    assert "mastered already" in created.summary


async def test_lists_have_paths_without_steps_and_archived_ones_on_request(paths) -> None:
    for path_id, learner in (("a", "ada"), ("b", "ada"), ("a", "bob")):
        await paths("CreatePath", path_request(path_id, learner))
    await paths("ArchivePath", pb.ArchivePathRequest(request_id=str(uuid4()), name="learners/ada/paths/b"))

    async def listed(parent: str, **asked: object) -> list[str]:
        answer = await paths("ListPaths", pb.ListPathsRequest(parent=parent, **asked))
        assert not any(each.steps for each in answer.paths)
        return [each.name.removeprefix("learners/") for each in answer.paths]

    assert await listed("learners/-") == ["ada/paths/a", "bob/paths/a"]
    assert await listed("learners/ada", show_archived=True) == ["ada/paths/a", "ada/paths/b"]
    assert await listed("learners/-", course="courses/latin") == []
    first = await paths("ListPaths", pb.ListPathsRequest(parent="learners/-", page_size=1))
    rest = await paths("ListPaths", pb.ListPathsRequest(parent="learners/-", page_size=1, page_token=first.next_page_token))
    assert (rest.paths[0].name, rest.next_page_token) == ("learners/bob/paths/a", "")


async def test_a_new_date_and_more_minutes_are_planned_at_once_and_recorded(paths) -> None:
    await paths("CreatePath", path_request(due_date=TODAY.isoformat(), minutes_per_day=5))
    tight = await paths.got()
    assert tight.feasibility.verdict == pb.VERDICT_LATE
    assert tight.feasibility.missing_minutes > 0
    changed = await paths("UpdatePath", update_request("due_date", "minutes_per_day", due_date="2026-11-30", minutes_per_day=30))
    assert changed.feasibility.verdict == pb.VERDICT_ON_TRACK
    assert "until 2026-11-30 (set by grace)" in changed.summary
    assert (await paths.got()) == changed
    newest = (await paths.revisions())[0]
    assert newest.cause == pb.REVISION_CAUSE_UPDATED
    assert newest.reason == "grace changed due_date, minutes_per_day."
    assert "the goal is on track for its date" in newest.changes


async def test_an_etag_keeps_one_person_from_undoing_anothers_change_but_not_from_the_learners_progress(paths) -> None:
    before = await paths("CreatePath", path_request())
    paths.days_pass(1)
    adapted = await paths.got()
    assert adapted.revision == before.revision + 1
    changed = await paths("UpdatePath", update_request("title", title="One", etag=before.etag))
    assert changed.etag != before.etag
    for method, request in (
        ("UpdatePath", update_request("title", title="Two", etag=before.etag)),
        ("OverrideStep", override_request("SKIP", "sub", etag=before.etag)),
        ("ArchivePath", pb.ArchivePathRequest(request_id=str(uuid4()), name=before.name, etag=before.etag)),
    ):
        with pytest.raises(AioRpcError) as refusal:
            await paths(method, request)
        assert refusal.value.code() is StatusCode.ABORTED


async def test_overrides_carry_their_teachers_name_and_outlast_every_adaptation(paths) -> None:
    await paths("CreatePath", path_request(goal_skills=["skills/mul", "skills/sub"]))
    await paths("OverrideStep", override_request("PIN_FIRST", "sub", note="test on Friday"))
    await paths("OverrideStep", override_request("ADD", "fractions"))
    skipped = await paths("OverrideStep", override_request("SKIP", "mul"))
    ordered = await paths("OverrideStep", override_request("LOCK_ORDER", "sub", "fractions"))
    assert [each.user for each in ordered.overrides] == ["users/grace"] * 4
    assert skills(skipped)[:3] == ["mul", "count", "sub"], "what is settled, then the pinned one after what it needs"
    reasons = {each.skill: each.reason for each in ordered.steps}
    assert "Put first by grace (“test on Friday”)." in reasons["skills/sub"]
    assert "Added by grace." in reasons["skills/fractions"]
    assert reasons["skills/mul"] == "Left out by grace."
    paths.graphs.put("north", graph(number=2, count="", sub="count", mul="count", fractions="mul sub", powers="sub"))
    paths.days_pass(1)
    later = await paths.got()
    assert later.publication == 2
    assert later.overrides == ordered.overrides
    assert [each.cause for each in await paths.revisions()][:2] == [pb.REVISION_CAUSE_PUBLICATION, pb.REVISION_CAUSE_OVERRIDDEN]


async def test_withdrawing_an_override_brings_the_step_back(paths) -> None:
    before = await paths("CreatePath", path_request())
    await paths("OverrideStep", override_request("SKIP", "count"))
    after = await paths("OverrideStep", override_request("SKIP", "count", withdraw=True))
    assert skills(after) == skills(before)
    assert not after.overrides
    assert [each.reason for each in await paths.revisions()][:2] == ["grace no longer leaves out Count.", "grace left out Count."]


async def test_setting_what_is_set_is_no_revision(paths) -> None:
    await paths("CreatePath", path_request())
    once = await paths("OverrideStep", override_request("PIN_FIRST", "sub"))
    assert await paths("OverrideStep", override_request("PIN_FIRST", "sub")) == once
    assert await paths("OverrideStep", override_request("SKIP", "sub", withdraw=True)) == once


async def test_the_first_look_on_a_new_day_plans_anew_from_the_newest_mastery(paths) -> None:
    before = await paths("CreatePath", path_request())
    paths.masteries.put("north", "ada", knowing(5, count=0.9))
    assert await paths.got() == before
    paths.days_pass(2)
    after = await paths.got()
    assert after.plan_date == (TODAY + timedelta(days=2)).isoformat()
    assert after.steps[0].status == pb.STEP_STATUS_DONE
    assert (await paths.revisions())[0].cause == pb.REVISION_CAUSE_DAY
    assert await paths.got() == after


async def test_an_archived_path_is_kept_and_adapts_no_more(paths) -> None:
    await paths("CreatePath", path_request())
    archive = pb.ArchivePathRequest(request_id=str(uuid4()), name="learners/ada/paths/p")
    archived = await paths("ArchivePath", archive)
    assert archived.state == pb.PATH_STATE_ARCHIVED
    assert archived.HasField("archive_time")
    paths.days_pass(3)
    assert await paths.got() == archived
    assert await paths("ArchivePath", archive) == archived
    for method, request in (
        ("UpdatePath", update_request("title", title="x")),
        ("OverrideStep", override_request("SKIP", "add")),
    ):
        with pytest.raises(AioRpcError) as refusal:
            await paths(method, request)
        assert refusal.value.code() is StatusCode.FAILED_PRECONDITION


async def test_a_learner_plans_for_themselves_and_changes_what_is_theirs(paths) -> None:
    await paths.as_ada("CreatePath", path_request())
    changed = await paths.as_ada("UpdatePath", update_request("due_date", due_date=DUE.replace(day=15).isoformat()))
    assert changed.due_date == "2026-10-15"
    await paths("UpdatePath", update_request("learner_may_skip", learner_may_skip=True))
    skipped = await paths.as_ada("OverrideStep", override_request("SKIP", "sub"))
    assert skipped.overrides[0].user == "users/ada"
    assert skipped.steps[-1].status != pb.STEP_STATUS_SKIPPED
    assert (await paths.as_ada("OverrideStep", override_request("SKIP", "sub", withdraw=True))).overrides == []
    archived = await paths.as_ada("ArchivePath", pb.ArchivePathRequest(request_id=str(uuid4()), name="learners/ada/paths/p"))
    assert archived.state == pb.PATH_STATE_ARCHIVED
