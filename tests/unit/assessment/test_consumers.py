from dataclasses import dataclass, replace

import pytest
from paideia.catalog.v1 import events_pb2

from domain.assessment.use_cases.learn_publication import LearnPublication
from domain.shared.errors import InvalidInput, Unavailable
from services.shared.publications import Publications
from tests.unit.assessment.examples import SINGLE
from tests.unit.assessment.fakes import World

SECOND = replace(SINGLE, revision=2)


@dataclass(frozen=True)
class Message:
    organization: str
    value: bytes


def published(number, course="courses/demo"):
    return Message("north", events_pb2.CoursePublished(course=course, publication=number).SerializeToString())


@pytest.fixture
async def world():
    world = World()
    await world.items.get("north", "demo", "single")
    world.catalog.publish("north", "demo", SECOND)
    return world


async def test_items_in_use_are_fetched_and_held_before_learners_ask(world):
    await Publications(LearnPublication(world.items))([published(1), published(2), published(1)])
    assert world.catalog.asked == [("single",), ("single",)]
    world.catalog.away = True
    assert await world.items.get("north", "demo", "single") == SECOND


async def test_a_publication_is_learnt_later_when_the_catalog_is_away(world):
    consume = Publications(LearnPublication(world.items))
    world.catalog.away = True
    with pytest.raises(Unavailable):
        await consume([published(2)])
    world.catalog.away = False
    await consume([published(2)])
    assert world.tables.course_items[("north", "demo", "single")] == (2, 2)


@pytest.mark.parametrize("message", [Message("north", b"\xff"), published(1, "demo"), published(1, "")])
async def test_what_is_no_publication_is_refused(world, message):
    with pytest.raises(InvalidInput):
        await Publications(LearnPublication(world.items))([message])
