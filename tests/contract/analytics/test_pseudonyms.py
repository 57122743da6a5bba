"""Pseudonyms, in memory and over PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.analytics.lake_memory import MemoryPseudonyms
from adapters.analytics.lake_secrets import PostgresPseudonyms, pseudonym
from domain.analytics.lake import Pseudonyms
from domain.shared.errors import Unavailable

KEY = b"k" * 32


@pytest.fixture(params=["memory", "postgres"])
async def pseudonyms(request: pytest.FixtureRequest) -> AsyncIterator[Pseudonyms]:
    if request.param == "memory":
        yield MemoryPseudonyms()
        return
    server = request.getfixturevalue("postgres")
    engine = create_async_engine(server.dsn("paideia_analytics").replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        yield PostgresPseudonyms(engine, KEY)
    finally:
        await engine.dispose()


async def test_a_learner_keeps_a_pseudonym_that_no_other_has(pseudonyms: Pseudonyms) -> None:
    first = await pseudonyms.of("pseudonyms-a", ["ada", "bob", "ada"])
    assert await pseudonyms.of("pseudonyms-a", ["bob", "ada", "eve"]) == first | await pseudonyms.of("pseudonyms-a", ["eve"])
    other = await pseudonyms.of("pseudonyms-b", ["ada"])
    assert len({*first.values(), *other.values()}) == 3
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in first.values())


async def test_who_is_forgotten_is_somebody_else_afterwards(pseudonyms: Pseudonyms) -> None:
    before = (await pseudonyms.of("pseudonyms-c", ["ada"]))["ada"]
    assert not await pseudonyms.forget("pseudonyms-d", "ada")
    assert await pseudonyms.forget("pseudonyms-c", "ada")
    assert not await pseudonyms.forget("pseudonyms-c", "ada")
    assert (await pseudonyms.of("pseudonyms-c", ["ada"]))["ada"] != before


async def test_nobody_asks_for_nothing(pseudonyms: Pseudonyms) -> None:
    assert await pseudonyms.of("pseudonyms-e", []) == {}


async def test_writers_that_meet_a_learner_at_once_agree(pseudonyms: Pseudonyms) -> None:
    learners = [f"l{number}" for number in range(40)]
    answers = await asyncio.gather(*(pseudonyms.of("pseudonyms-f", learners) for _ in range(6)))
    assert all(each == answers[0] for each in answers)


async def test_a_database_that_is_away_is_told() -> None:
    engine = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:9/none")
    with pytest.raises(Unavailable):
        await PostgresPseudonyms(engine, KEY).of("north", ["ada"])
    await engine.dispose()


def test_a_pseudonym_needs_the_key_the_organization_the_learner_and_the_secret() -> None:
    one = pseudonym(KEY, "north", "ada", b"s" * 16)
    others = [
        pseudonym(b"j" * 32, "north", "ada", b"s" * 16),
        pseudonym(KEY, "south", "ada", b"s" * 16),
        pseudonym(KEY, "north", "bob", b"s" * 16),
        pseudonym(KEY, "north", "ada", b"t" * 16),
    ]
    assert pseudonym(KEY, "north", "ada", b"s" * 16) == one
    assert one not in others
    with pytest.raises(ValueError, match="32 bytes"):
        PostgresPseudonyms(None, b"short")  # type: ignore[arg-type]
