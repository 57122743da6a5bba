from dataclasses import dataclass

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from paideia.catalog.v1.events_pb2 import CoursePublished
from paideia.paths.v1 import paths_service_pb2 as pb
from paideia.progress.v1.events_pb2 import ProgressUpdated, SkillState

from domain.shared.errors import InvalidInput
from tests.rpc.paths.conftest import Paths, path_request
from tests.unit.paths.making import graph


@dataclass(frozen=True)
class Message:
    value: bytes
    organization: str = "north"


def updated(sequence: int, learner: str = "ada", revision: int = 0, **means: float) -> bytes:
    return ProgressUpdated(
        learner=f"learners/{learner}",
        sequence=sequence,
        revision=revision,
        skills=[SkillState(skill=f"skills/{skill}", mean=mean, lower=mean / 2, upper=mean) for skill, mean in means.items()],
        response_time=Duration(seconds=30),
    ).SerializeToString()


def published(number: int, course: str = "maths") -> Message:
    return Message(CoursePublished(course=f"courses/{course}", publication=number).SerializeToString())


async def test_answers_finish_steps_each_once_and_say_why(paths: Paths) -> None:
    await paths("CreatePath", path_request())
    handle = paths.container.progress_updates()
    batch = [Message(updated(1, count=0.6)), Message(updated(2, count=0.85)), Message(updated(1, "bob", count=0.9))]
    await handle(batch)
    after = await paths.got()
    assert after.steps[0].status == pb.STEP_STATUS_DONE
    newest = (await paths.revisions())[0]
    assert (newest.cause, newest.user) == (pb.REVISION_CAUSE_MASTERY, "")
    assert newest.reason.startswith("Mastery changed: Count is done: mastery is 85 %")
    await handle(batch)
    assert await paths.got() == after


async def test_a_repair_reopens_what_was_not_mastered_once(paths: Paths) -> None:
    await paths("CreatePath", path_request())
    handle = paths.container.progress_updates()
    batch = [Message(updated(1, count=0.9)), Message(updated(1, revision=1, count=0.4))]
    await handle(batch[:1])
    assert (await paths.got()).steps[0].status == pb.STEP_STATUS_DONE
    await handle(batch)
    after = await paths.got()
    assert (after.steps[0].skill, after.steps[0].status) == ("skills/count", pb.STEP_STATUS_OPEN)
    assert "Count is to be practised again: mastery is 40 %" in (await paths.revisions())[0].reason
    await handle(batch)
    assert await paths.got() == after


async def test_answers_in_another_organization_are_not_this_learners(paths: Paths) -> None:
    before = await paths("CreatePath", path_request())
    await paths.container.progress_updates()([Message(updated(1, count=0.9), "south")])
    assert await paths.got() == before


@pytest.mark.parametrize(
    "value",
    [
        b"\xff\xff",
        updated(0, count=0.5),
        updated(1, revision=-1, count=0.5),
        updated(1, count=float("nan")),
        updated(1, count=1.5),
        updated(1, "no blanks", count=0.5),
    ],
)
async def test_a_message_that_is_no_update_fails_and_nothing_is_applied(paths: Paths, value: bytes) -> None:
    before = await paths("CreatePath", path_request())
    with pytest.raises((DecodeError, InvalidInput)):
        await paths.container.progress_updates()([Message(updated(1, count=0.9)), Message(value)])
    assert await paths.got() == before


async def test_a_new_publication_reaches_every_path_of_its_course_once(paths: Paths) -> None:
    for path_id in ("p", "q"):
        await paths("CreatePath", path_request(path_id))
    paths.graphs.put("north", graph(number=3, count="", add="count", powers="add"))
    handle = paths.container.catalog_changes()
    await handle([published(2), published(3), published(9, "nobody-has-it")])
    for path_id in ("p", "q"):
        path = await paths.got(path_id)
        assert path.publication == 3
        assert [each.skill for each in path.steps] == ["skills/count", "skills/add", "skills/powers"]
        newest = (await paths.revisions(path_id))[0]
        assert newest.cause == pb.REVISION_CAUSE_PUBLICATION
        assert "Powers joins the path" in newest.changes
    again = await paths.got()
    await handle([published(3)])
    assert await paths.got() == again
