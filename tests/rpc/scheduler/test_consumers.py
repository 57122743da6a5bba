import pytest
from google.protobuf.message import DecodeError
from paideia.catalog.v1.events_pb2 import CoursePublished
from paideia.progress.v1.events_pb2 import AbilityState
from paideia.scheduler.v1 import scheduler_service_pb2 as pb

from domain.shared.errors import InvalidInput
from tests.rpc.scheduler.making import OTHER, Message, next_items, repaired, updated
from tests.unit.scheduler.making import ID, publication


async def test_updates_from_the_log_are_durable_each_once_in_its_organization(scheduler) -> None:
    handle = scheduler.container.progress_updates()
    messages = [Message(updated(n).SerializeToString()) for n in (1, 2)]
    await handle([*messages, Message(updated(1).SerializeToString(), "south")])
    await handle(messages)
    for organization, sequence in (("north", 2), ("south", 1)):
        async with scheduler.container.unit(organization) as unit:
            assert (await unit.states.of(["ada"]))["ada"].sequence == sequence


async def test_a_repair_changes_the_next_decision_and_both_are_replayed(scheduler) -> None:
    """Skill b opens with a mastery of a that turns out to have been wrong."""
    handle = scheduler.container.progress_updates()
    attempts = [updated(n + 1, item=f"items/item-{n}") for n in range(4)]
    await scheduler.as_service("Observe", pb.ObserveRequest(updates=attempts))
    await handle([Message(each.SerializeToString()) for each in attempts])
    before = await scheduler("NextItems", next_items(size=12))
    repair = Message(repaired(4, a=0.2, b=0.4, ability=-1.0).SerializeToString())
    await handle([repair])
    await handle([Message(attempts[-1].SerializeToString()), repair])
    after = await scheduler("NextItems", next_items(request_id=OTHER, size=12))
    assert {skill for each in before.items for skill in each.skills} == {"skills/a", "skills/b"}
    assert {skill for each in after.items for skill in each.skills} == {"skills/a"}
    for decision in (ID, OTHER):
        replayed = await scheduler("ReplayDecision", pb.ReplayDecisionRequest(name=f"decisions/{decision}"), "tess", "TEACHER")
        assert (replayed.identical, replayed.difference) == (True, "")


@pytest.mark.parametrize(
    "value",
    [
        b"\xff\xff",
        updated(1, score=3.0).SerializeToString(),
        updated(2**33).SerializeToString(),
        repaired(1, -1).SerializeToString(),
        repaired(1, 2**20).SerializeToString(),
        repaired(1, a=1.5).SerializeToString(),
        updated(1, revision=1, abilities=[AbilityState(course="sql")]).SerializeToString(),
        updated(1, revision=1, abilities=[AbilityState(mean=float("nan"))]).SerializeToString(),
        updated(1, revision=1, abilities=[AbilityState(standard_error=float("inf"))]).SerializeToString(),
    ],
)
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
