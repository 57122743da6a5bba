"""How many courses and items an organization may have: the same in memory and in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.catalog.memory import MemoryCatalog
from adapters.catalog.postgres import PostgresCatalogUnit
from domain.catalog.model import Course, Item, ItemFault, Skill
from domain.catalog.ports import CatalogUnit, ItemChecker
from domain.catalog.use_cases.create_course import CreateCourse
from domain.catalog.use_cases.create_items import CreateItems
from domain.catalog.use_cases.get_usage import GetUsage
from domain.shared.caller import Caller, Role
from domain.shared.errors import QuotaReached
from domain.shared.plans import Plan, Quota, limit_of

NOW = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)
ITEMS = limit_of(Quota.ITEMS, Plan.TRIAL)
NewUnit = Callable[[str], CatalogUnit]


class NoFaults(ItemChecker):
    async def faults(self, organization: str, items: Sequence[Item]) -> Sequence[ItemFault]:
        return []


@pytest.fixture(params=["memory", "postgres"])
async def new_unit(request: pytest.FixtureRequest) -> AsyncIterator[NewUnit]:
    if request.param == "memory":
        yield MemoryCatalog().unit
        return
    dsn = request.getfixturevalue("postgres").dsn("paideia_catalog")
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=12)
    yield lambda organization: PostgresCatalogUnit(engine, organization)
    await engine.dispose()


@pytest.fixture
async def author(new_unit: NewUnit) -> Caller:
    """Of an organization on trial, with a skill."""
    organization = f"north-{uuid4()}"
    async with new_unit(organization) as unit:
        await unit.skills.add([Skill("sql", "SQL", "", (), NOW)])
        await unit.commit()
    return Caller(organization, "ada", frozenset({Role.AUTHOR}), plan=Plan.TRIAL)


def items(*ids: str) -> list[Item]:
    return [Item(each, ("sql",), b"body", b"key", "Title") for each in ids]


async def usage(new_unit: NewUnit, author: Caller) -> list[int]:
    found = await GetUsage(new_unit)(author)
    return [found[Quota.COURSES], found[Quota.ITEMS]]


async def test_of_many_courses_as_many_are_made_as_the_plan_allows(new_unit: NewUnit, author: Caller) -> None:
    create, most = CreateCourse(new_unit, lambda: NOW), limit_of(Quota.COURSES, Plan.TRIAL)
    courses = [Course(f"c{at}", "C", "", ("sql",), NOW) for at in range(most + 3)]
    ended = await asyncio.gather(*(create(author, each) for each in courses), return_exceptions=True)
    assert sum(isinstance(each, Course) for each in ended) == most
    assert sum(isinstance(each, QuotaReached) for each in ended) == 3
    assert await usage(new_unit, author) == [most, 0]
    larger = replace(author, plan=Plan.STANDARD)
    await create(larger, Course("more", "C", "", ("sql",), NOW))


async def test_a_batch_of_items_comes_in_whole_or_not_at_all(new_unit: NewUnit, author: Caller) -> None:
    create = CreateItems(new_unit, NoFaults(), lambda: NOW)
    for at in range(0, ITEMS - 100, 300):
        ids = [f"i{number}" for number in range(at, at + 300)]
        await create(author, items(*ids), [""] * len(ids))
    ids = [f"more-{number}" for number in range(200)]
    with pytest.raises(QuotaReached) as refused:
        await create(author, items(*ids), [""] * len(ids))
    assert (refused.value.quota, refused.value.limit) == ("items", ITEMS)
    assert await usage(new_unit, author) == [0, 900]
    # Those that are there take no room.
    again = [*(f"i{number}" for number in range(100)), *ids[:100]]
    assert len(await create(author, items(*again), [""] * 200, skip_existing=True)) == 200
    assert await usage(new_unit, author) == [0, ITEMS]
    other = replace(author, organization=f"south-{uuid4()}")
    assert await usage(new_unit, other) == [0, 0]
