import asyncio
from dataclasses import replace

import pytest

from domain.assessment.model.items import Body
from domain.assessment.model.responses import CourseNotPublished, ItemNotPublished
from domain.shared.errors import Unavailable
from tests.unit.assessment.examples import NUMERIC, SINGLE
from tests.unit.assessment.fakes import World

SECOND = replace(SINGLE, revision=2, body=Body("New question?", SINGLE.body.interaction))


@pytest.fixture
def world():
    return World()


async def test_an_item_in_use_is_fetched_once(world):
    assert await world.items.get("north", "demo", "single") == SINGLE
    assert await world.items.get("north", "demo", "single") == SINGLE
    assert world.catalog.asked == [("single",)]


async def test_many_who_miss_the_same_item_cause_one_fetch(world):
    found = await asyncio.gather(*(world.items.get("north", "demo", "single") for _ in range(100)))
    assert set(map(id, found)) == {id(found[0])}
    assert world.catalog.asked == [("single",)]


async def test_the_first_who_asks_may_give_up_while_others_wait(world):
    first = asyncio.create_task(world.items.get("north", "demo", "single"))
    second = asyncio.create_task(world.items.get("north", "demo", "single"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == SINGLE


async def test_a_new_publication_is_served_after_a_few_seconds_without_being_told(world):
    await world.items.get("north", "demo", "single")
    world.catalog.publish("north", "demo", SECOND)
    world.seconds = 2.0
    assert await world.items.get("north", "demo", "single") == SECOND


async def test_a_new_publication_is_served_at_once_when_told(world):
    await world.items.get("north", "demo", "single")
    world.catalog.publish("north", "demo", SECOND)
    await world.items.refresh("north", "demo", 2)
    assert await world.items.get("north", "demo", "single") == SECOND


async def test_learning_of_a_new_publication_by_one_item_makes_the_others_stale(world):
    await world.items.get("north", "demo", "single")
    await world.items.get("north", "demo", "numeric")
    world.catalog.publish("north", "demo", NUMERIC, SECOND)
    with pytest.raises(ItemNotPublished):
        await world.items.get("north", "demo", "unheard-of")
    assert await world.items.get("north", "demo", "single") == SECOND


async def test_an_item_taken_out_of_the_course_is_no_longer_served_or_held(world):
    await world.items.get("north", "demo", "single")
    world.catalog.publish("north", "demo", NUMERIC)
    await world.items.refresh("north", "demo", 2)
    with pytest.raises(ItemNotPublished):
        await world.items.get("north", "demo", "single")
    world.catalog.away = True
    world.seconds = 60
    with pytest.raises(Unavailable):
        await world.items.get("north", "demo", "single")


async def test_while_the_catalog_is_away_items_in_use_are_served_as_last_known(world):
    await world.items.get("north", "demo", "single")
    world.catalog.away = True
    world.seconds = 60
    assert await world.items.get("north", "demo", "single") == SINGLE
    restarted = World(tables=world.tables, catalog=world.catalog)
    world.catalog.away = True
    assert await restarted.items.get("north", "demo", "single") == SINGLE
    with pytest.raises(Unavailable):
        await restarted.items.get("north", "demo", "numeric")


async def test_when_the_catalog_is_back_its_newest_publication_is_served_and_held(world):
    await world.items.get("north", "demo", "single")
    world.catalog.away = True
    world.seconds = 60
    await world.items.get("north", "demo", "single")
    world.catalog.publish("north", "demo", SECOND)
    world.catalog.away = False
    assert await world.items.get("north", "demo", "single") == SECOND
    assert ("north", "single", 2) in world.tables.revisions


async def test_what_is_not_published_is_not_found(world):
    with pytest.raises(CourseNotPublished):
        await world.items.get("north", "none", "single")
    with pytest.raises(CourseNotPublished):
        await world.items.get("south", "demo", "single")
    with pytest.raises(ItemNotPublished):
        await world.items.get("north", "demo", "none")


async def test_an_old_or_repeated_announcement_changes_nothing(world):
    await world.items.get("north", "demo", "single")
    await world.items.refresh("north", "demo", 1)
    await world.items.refresh("north", "demo", 0)
    await world.items.refresh("south", "elsewhere", 5)
    assert await world.items.get("north", "demo", "single") == SINGLE
    assert world.catalog.asked == [("single",)]
