"""What comes about somebody after their erasure, in each context's real tables."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.analytics.lake_secrets import PostgresPseudonyms
from adapters.shared.erased_people import ErasedPeople
from domain.shared.personal_data import PersonalRecords
from services.shared.erased import WithoutErased
from tests.contract.privacy.conftest import PARTIES, PERSON, World

LISTENERS = [(each, each) for each in PARTIES if each != "assessment"]
each_listener = pytest.mark.parametrize(("context", "records"), LISTENERS, indirect=["records"])


@dataclass(frozen=True)
class About:
    """A message about a learner."""

    organization: str
    learner: str
    value: bytes = b""

    @property
    def key(self) -> str:
        return f"{self.organization}/learners/{self.learner}"


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def pool(postgres: Any, context: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(postgres.dsn(f"paideia_{context}"), min_size=0, max_size=2) as pool:
        yield pool


@each_listener
async def test_what_comes_however_late_is_dropped_and_counted(
    world: World, context: str, records: PersonalRecords, pool: asyncpg.Pool
) -> None:
    handled: list[About] = []

    async def handle(batch: Sequence[About]) -> None:
        handled.extend(batch)

    clock = Clock()
    consume = WithoutErased(context, handle, ErasedPeople(pool, clock))
    late, others = About(world.organization, PERSON), [About(world.organization, "ada"), About(f"{world.organization}x", PERSON)]
    await consume([late, *others])
    assert handled == [late, *others]
    await records.erase(world.organization, PERSON, "erased-1")
    clock.now += 61
    handled.clear()
    await consume([late, *others, late])
    await consume([late])
    assert handled == others
    (row,) = await world.rows(context, "erased_people")
    assert (row["dropped"], row["dropped_at"] is None) == (3, False)
    await records.erase(world.organization, PERSON, "erased-1")
    (row,) = await world.rows(context, "erased_people")
    assert row["dropped"] == 3


@pytest.mark.parametrize(("context", "records"), [("progress", "progress")], indirect=["records"])
async def test_what_a_handler_refused_is_not_counted_before_it_is_done(
    world: World, context: str, records: PersonalRecords, pool: asyncpg.Pool
) -> None:
    async def refuse(batch: Sequence[About]) -> None:
        raise ValueError("no")

    await records.erase(world.organization, PERSON, "erased-1")
    consume = WithoutErased(context, refuse, ErasedPeople(pool))
    with pytest.raises(ValueError, match="no"):
        await consume([About(world.organization, PERSON), About(world.organization, "ada")])
    (row,) = await world.rows(context, "erased_people")
    assert row["dropped"] == 0


@pytest.mark.parametrize(("context", "records"), [("analytics", "analytics")], indirect=["records"])
async def test_the_lake_makes_no_pseudonym_for_whom_it_has_lost(
    world: World, context: str, records: PersonalRecords, postgres: Any
) -> None:
    engine = create_async_engine(postgres.dsn("paideia_analytics").replace("postgresql://", "postgresql+asyncpg://", 1))
    pseudonyms = PostgresPseudonyms(engine, b"k" * 32)
    assert set(await pseudonyms.of(world.organization, [PERSON, "ada"])) == {PERSON, "ada"}
    await records.erase(world.organization, PERSON, "erased-1")
    assert set(await pseudonyms.of(world.organization, [PERSON, "ada"])) == {"ada"}
    await engine.dispose()


async def test_messages_that_are_about_no_learner_pass() -> None:
    @dataclass(frozen=True)
    class Other:
        key: str
        organization: str = "north"
        value: bytes = b""

    class Nobody:
        async def among(self, organization: str, people: object) -> frozenset[str]:
            raise AssertionError("nobody is looked for")

        async def count(self, organization: str, dropped: object) -> None:
            raise AssertionError("nobody is counted")

    handled: list[Other] = []

    async def handle(batch: Sequence[Other]) -> None:
        handled.extend(batch)

    batch = [Other("north/courses/sql"), Other(""), Other("south/learners/ada"), Other("/learners/ada", "")]
    await WithoutErased("progress", handle, Nobody())(batch)
    assert handled == batch
