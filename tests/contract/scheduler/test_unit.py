import asyncio
from dataclasses import replace
from random import Random

import asyncpg
import pytest

from adapters.scheduler.encoding import encoded_state
from adapters.scheduler.history_memory import MemoryHistories
from adapters.scheduler.memory import MemoryHotStates, MemoryStore
from adapters.scheduler.postgres import PostgresSchedulerUnit
from domain.scheduler.model import LearnerUpdate
from domain.scheduler.ports import NewUnit
from domain.scheduler.state import LearnerState
from domain.scheduler.use_cases.apply_updates import ApplyUpdates
from tests.unit.scheduler.making import publication, repair, update


async def saved(new_unit: NewUnit, organization: str, learner: str, *sequences: int) -> None:
    async with new_unit(organization) as unit:
        await unit.states.save({learner: LearnerState.new().after(update(each) for each in sequences)})
        await unit.commit()


async def sequence_of(new_unit: NewUnit, organization: str, learner: str) -> int:
    async with new_unit(organization) as unit:
        return (await unit.states.of([learner]))[learner].sequence


async def test_leaving_without_commit_undoes_everything(new_unit: NewUnit, organization: str) -> None:
    async with new_unit(organization) as unit:
        await unit.states.save({"ada": LearnerState.new().after([update(1)])})
        await unit.difficulties.save({"item-0": 1.5})
        await unit.publications.save(publication())
    async with new_unit(organization) as unit:
        assert (await unit.states.of(["ada"]))["ada"].sequence == 0
        assert await unit.difficulties.of(["item-0"]) == {}
        assert await unit.publications.newest("sql") is None


async def test_a_state_comes_back_as_it_was(new_unit: NewUnit, organization: str) -> None:
    state = LearnerState.new().after([update(1), update(2, "item-1", skill="b", correct=False)])
    async with new_unit(organization) as unit:
        await unit.states.save({"ada": state})
        await unit.commit()
    async with new_unit(organization) as unit:
        found = await unit.states.of(["ada", "grace"])
    assert encoded_state(found["ada"]) == encoded_state(state)
    assert found["grace"].sequence == 0


async def test_a_newer_state_is_never_overwritten_by_an_older_one(new_unit: NewUnit, organization: str) -> None:
    await saved(new_unit, organization, "ada", 1, 2, 3)
    await saved(new_unit, organization, "ada", 1, 2)
    assert await sequence_of(new_unit, organization, "ada") == 3


async def test_of_the_same_attempts_the_state_with_the_newest_repair_is_kept(new_unit: NewUnit, organization: str) -> None:
    log = [update(1), repair(1), repair(1, 2, a=0.25), update(2)]
    for told, version in ((2, (1, 1)), (1, (1, 1)), (3, (1, 2)), (2, (1, 2)), (4, (2, 2)), (3, (2, 2))):
        async with new_unit(organization) as unit:
            await unit.states.save({"ada": LearnerState.new().after(log[:told])})
            await unit.commit()
        async with new_unit(organization) as unit:
            assert (await unit.states.of(["ada"]))["ada"].version == version
    async with new_unit(organization) as unit:
        found = await unit.states.of(["ada"])
    assert encoded_state(found["ada"]) == encoded_state(LearnerState.new().after(log))


async def test_a_release_that_knows_nothing_of_repairs_may_write_beside_this_one(pool: asyncpg.Pool, organization: str) -> None:
    """As during an upgrade: it neither sets the revision nor keeps it in a state that it goes on from."""

    async def apply(*updates: LearnerUpdate) -> None:
        async with PostgresSchedulerUnit(pool, organization) as unit:
            state = (await unit.states.of(["ada"]))["ada"]
            await unit.states.save({"ada": state.after(updates)})
            await unit.commit()

    async def apply_by_the_other(*updates: LearnerUpdate) -> None:
        async with PostgresSchedulerUnit(pool, organization) as unit:
            state = (await unit.states.of(["ada"]))["ada"].after(updates)
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT set_config('paideia.organization', $1, true)", organization)
                await connection.execute(
                    """
                    INSERT INTO learner_states AS held (organization_id, learner, sequence, state) VALUES ($1, 'ada', $2, $3)
                    ON CONFLICT (organization_id, learner) DO UPDATE SET sequence = excluded.sequence, state = excluded.state
                    WHERE held.sequence < excluded.sequence
                    """,
                    organization,
                    state.sequence,
                    encoded_state(replace(state, revision=0)),
                )

    await apply_by_the_other(update(1))
    await apply(repair(1, a=0.25))
    await apply_by_the_other(update(2, skill="b"))
    await apply(update(3, skill="b"))
    await apply(repair(3, 2, a=0.75))
    async with PostgresSchedulerUnit(pool, organization) as unit:
        state = (await unit.states.of(["ada"]))["ada"]
    assert state.version == (3, 2)
    assert state.skills["mean"].tolist() == [0.75]
    assert state.items["attempts"].tolist() == [3]


async def test_another_organization_sees_nothing(new_unit: NewUnit, organization: str) -> None:
    await saved(new_unit, organization, "ada", 1)
    async with new_unit(organization) as unit:
        await unit.difficulties.save({"item-0": 1.5})
        await unit.publications.save(publication())
        await unit.commit()
    async with new_unit("another") as unit:
        assert (await unit.states.of(["ada"]))["ada"].sequence == 0
        assert await unit.difficulties.of(["item-0"]) == {}
        assert await unit.publications.newest_number("sql") == 0


async def test_the_newest_difficulty_stands(new_unit: NewUnit, organization: str) -> None:
    for difficulties in ({"item-0": 1.5, "item-1": -0.25}, {"item-0": 0.5}):
        async with new_unit(organization) as unit:
            await unit.difficulties.save(difficulties)
            await unit.commit()
    async with new_unit(organization) as unit:
        assert await unit.difficulties.of(["item-0", "item-1", "item-2"]) == {"item-0": 0.5, "item-1": -0.25}


async def test_the_newest_publication_is_the_one_with_the_highest_number(new_unit: NewUnit, organization: str) -> None:
    for number in (2, 3, 1):
        async with new_unit(organization) as unit:
            await unit.publications.save(publication(number + 3, number=number))
            await unit.commit()
    async with new_unit(organization) as unit:
        assert await unit.publications.newest("sql") == publication(6, number=3)
        assert await unit.publications.newest_number("sql") == 3
        assert await unit.publications.newest_number("none") == 0


async def test_saving_a_publication_again_changes_nothing(new_unit: NewUnit, organization: str) -> None:
    for items in (4, 7):
        async with new_unit(organization) as unit:
            await unit.publications.save(publication(items))
            await unit.commit()
    async with new_unit(organization) as unit:
        assert await unit.publications.newest("sql") == publication(4)


@pytest.mark.parametrize("seed", range(3))
async def test_many_workers_with_overlapping_batches_count_every_update_once(
    new_unit: NewUnit, organization: str, seed: int
) -> None:
    """As when a group rebalances: batches come again, on other workers, at the same time."""
    random = Random(seed)
    learners = [f"learner-{n}" for n in range(6)]
    updates = [
        told
        for sequence in range(1, 41)
        for each in learners
        for told in (
            update(sequence, f"item-{sequence % 7}", learner=each, mean=sequence / 64),
            *([repair(sequence, sequence // 9, learner=each, a=sequence / 128, b=0.5)] if sequence % 9 == 0 else []),
        )
    ]
    apply = ApplyUpdates(new_unit, MemoryHotStates(), MemoryHistories(MemoryStore()).unit)

    async def work() -> None:
        # A worker begins wherever offsets were committed, goes on in order, and is never ahead of what came before.
        start = 0
        while start < len(updates):
            end = start + random.randint(1, 60)
            await apply(organization, updates[max(0, start - random.randint(0, 60)) : end])
            start = end

    await asyncio.gather(*(work() for _ in range(4)))
    expected = LearnerState.new().after(each for each in updates if each.learner == learners[0])
    async with new_unit(organization) as unit:
        for state in (await unit.states.of(learners)).values():
            assert encoded_state(state) == encoded_state(expected)
            assert state.items["attempts"].sum() == 40
