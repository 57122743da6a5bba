import pytest
from google.protobuf.message import DecodeError
from paideia.catalog.v1.events_pb2 import CoursePublished

from domain.shared.errors import InvalidInput
from tests.rpc.scheduler.making import Message, updated
from tests.unit.scheduler.making import publication


async def test_updates_from_the_log_are_durable_each_once_in_its_organization(scheduler) -> None:
    handle = scheduler.container.progress_updates()
    messages = [Message(updated(n).SerializeToString()) for n in (1, 2)]
    await handle([*messages, Message(updated(1).SerializeToString(), "south")])
    await handle(messages)
    for organization, sequence in (("north", 2), ("south", 1)):
        async with scheduler.container.unit(organization) as unit:
            assert (await unit.states.of(["ada"]))["ada"].sequence == sequence


@pytest.mark.parametrize("value", [b"\xff\xff", updated(1, score=3.0).SerializeToString()])
async def test_a_message_that_is_no_update_fails_and_nothing_is_applied(scheduler, value: bytes) -> None:
    handle = scheduler.container.progress_updates()
    with pytest.raises((DecodeError, InvalidInput)):
        await handle([Message(updated(1).SerializeToString()), Message(value)])
    async with scheduler.container.unit("north") as unit:
        assert (await unit.states.of(["ada"]))["ada"].sequence == 0


async def test_of_several_publications_of_a_course_the_newest_is_pulled_once(scheduler) -> None:
    source = scheduler.container.source()
    source.put("north", publication(20, number=3))
    handle = scheduler.container.catalog_changes()
    await handle([Message(CoursePublished(course="courses/sql", publication=n).SerializeToString()) for n in (1, 2, 3)])
    assert source.pulls == 1
    async with scheduler.container.unit("north") as unit:
        assert await unit.publications.newest_number("sql") == 3
