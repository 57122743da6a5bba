import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import asyncpg
import pytest

from adapters.scheduler.history_memory import MemoryHistories
from adapters.scheduler.history_postgres import PostgresHistory
from adapters.scheduler.memory import MemoryStore
from adapters.scheduler.postgres import PostgresSchedulerUnit
from domain.scheduler.difficulties import DifficultyEpoch
from domain.scheduler.model import CourseNotPublished
from domain.scheduler.ports import HistoryUnit, NewUnit
from tests.unit.scheduler.making import publication, repair, update


class Stores(NamedTuple):
    history: Callable[[str], HistoryUnit]
    unit: NewUnit


@pytest.fixture(params=["memory", "postgres"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        store = MemoryStore()
        yield Stores(MemoryHistories(store).unit, store.unit)
        return
    async with asyncpg.create_pool(request.getfixturevalue("postgres").dsn("paideia_scheduler"), min_size=0, max_size=8) as pool:
        yield Stores(
            lambda organization: PostgresHistory(pool, organization),
            lambda organization: PostgresSchedulerUnit(pool, organization),
        )


async def add(stores: Stores, organization: str, *epochs: DifficultyEpoch) -> list[bool]:
    kept = []
    for epoch in epochs:
        async with stores.history(organization) as history:
            kept.append(await history.epochs.add("sql", epoch))
            await history.commit()
    return kept


async def test_updates_come_back_as_they_were_in_order_and_up_to_a_sequence(stores: Stores, organization: str) -> None:
    updates = [update(n, f"item-{n}", ability=0.1 * n, response_seconds=None if n % 2 else 1.1) for n in range(1, 12)]
    async with stores.history(organization) as history:
        await history.updates.add([*reversed(updates), update(3, learner="grace")])
        await history.commit()
    async with stores.history(organization) as history:
        assert await history.updates.of("ada", 10) == updates[:10]
        assert await history.updates.of("grace", 10) == [update(3, learner="grace")]
        assert await history.updates.of("nobody", 10) == []


async def test_repairs_come_back_as_they_were_right_after_their_attempt(stores: Stores, organization: str) -> None:
    log = [update(1), update(2), repair(2, a=0.1, b=1 / 3), repair(2, 2, ability=0.7), update(3), repair(3, 3, a=1.0)]
    for batch in ([*reversed(log), repair(2, learner="grace")], log):
        async with stores.history(organization) as history:
            await history.updates.add(batch)
            await history.commit()
    async with stores.history(organization) as history:
        assert await history.updates.of("ada", 9) == log
        assert await history.updates.of("ada", 2) == log[:4]
        assert await history.updates.of("ada", 1) == log[:1]
        assert await history.updates.of("grace", 9) == [repair(2, learner="grace")]


async def test_an_update_that_is_kept_stays_as_it_is(stores: Stores, organization: str) -> None:
    for item in ("item-1", "item-2"):
        async with stores.history(organization) as history:
            await history.updates.add([update(1, item)])
            await history.commit()
    async with stores.history(organization) as history:
        assert await history.updates.of("ada", 1) == [update(1, "item-1")]


async def test_leaving_without_commit_keeps_nothing(stores: Stores, organization: str) -> None:
    async with stores.history(organization) as history:
        await history.updates.add([update(1)])
        await history.epochs.add("sql", DifficultyEpoch(1, {"x": 0.5}))
    async with stores.history(organization) as history:
        assert await history.updates.of("ada", 9) == []
        assert await history.epochs.between("sql", 0) == []


async def test_epochs_lead_from_one_to_another_by_the_shortest_way(stores: Stores, organization: str) -> None:
    epochs = [DifficultyEpoch(n, {f"item-{n}": n / 7}, complete=n in (3, 6)) for n in range(1, 9)]
    assert await add(stores, organization, *epochs) == [True] * 8
    async with stores.history(organization) as history:

        async def numbers(after: int, up_to: int | None = None) -> list[int]:
            return [each.number for each in await history.epochs.between("sql", after, up_to)]

        assert await numbers(0) == [6, 7, 8]
        assert await numbers(0, 5) == [3, 4, 5]
        assert await numbers(0, 2) == [1, 2]
        assert await numbers(6) == [7, 8]
        assert await numbers(4) == [6, 7, 8]
        assert await numbers(8) == []
        assert await numbers(0, 0) == []
        assert await history.epochs.between("sql", 5, 6) == [epochs[5]]
        assert await history.epochs.between("art", 0) == []


async def test_of_two_that_make_the_same_epoch_one_is_kept(stores: Stores, organization: str) -> None:
    kept = await asyncio.gather(*(add(stores, organization, DifficultyEpoch(1, {"x": float(n)})) for n in range(6)))
    assert sorted(kept) == [[False]] * 5 + [[True]]
    async with stores.history(organization) as history:
        (epoch,) = await history.epochs.between("sql", 0)
    assert epoch.values == {"x": float(kept.index([True]))}


async def test_a_publication_is_found_by_its_number(stores: Stores, organization: str) -> None:
    async with stores.unit(organization) as unit:
        await unit.publications.save(publication(4))
        await unit.publications.save(publication(5, number=2))
        await unit.commit()
    async with stores.history(organization) as history:
        assert await history.publications.numbered("sql", 1) == publication(4)
        with pytest.raises(CourseNotPublished):
            await history.publications.numbered("sql", 3)


async def test_another_organization_sees_nothing(stores: Stores, organization: str) -> None:
    async with stores.history(organization) as history:
        await history.updates.add([update(1), repair(1)])
        await history.commit()
    await add(stores, organization, DifficultyEpoch(1, {"x": 0.5}))
    async with stores.history(f"{organization}-other") as history:
        assert await history.updates.of("ada", 9) == []
        assert await history.epochs.between("sql", 0) == []
