from uuid import uuid4

import asyncpg
from dependency_injector import providers
from redis.asyncio import Redis

from adapters.scheduler.memory import MemoryPublications
from domain.scheduler.model import DecisionRequest, Mode
from domain.scheduler.pools import REFRESH
from domain.shared.caller import Caller, Role
from services.scheduler.container import SchedulerContainer
from tests.rpc.scheduler.making import Message, repaired, updated
from tests.unit.scheduler.making import NOW, publication


async def test_decisions_are_made_again_from_what_the_database_keeps(pool: asyncpg.Pool, organization: str) -> None:
    """By another process, after the learner, the difficulties and the publication moved on and the learner's mastery was repaired."""
    source, redis = MemoryPublications(), Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    source.put(organization, publication())
    now = [NOW]

    def process() -> SchedulerContainer:
        return SchedulerContainer(
            pool=providers.Object(pool),
            redis=providers.Object(redis),
            source=providers.Object(source),
            clock=providers.Object(lambda: now[0]),
        )

    ada = Caller(organization, "ada", frozenset({Role.LEARNER}))
    first = process()
    apply, next_items = first.progress_updates(), first.servicer().next_items
    made = []
    for round_ in range(4):
        updates = [
            updated(3 * round_ + n + 1, item=f"items/item-{3 * n}", item_difficulty=0.3 * round_ - 0.1 * n) for n in range(3)
        ]
        await apply([Message(each.SerializeToString(), organization) for each in updates])
        made.append(await next_items(ada, DecisionRequest(str(uuid4()), "ada", "sql", 3)))
        await apply([Message(repaired(3 * round_ + 3, round_ + 1, a=0.3 + 0.1 * round_).SerializeToString(), organization)])
        now[0] += REFRESH * 2
        for mode in Mode:
            made.append(await next_items(ada, DecisionRequest(str(uuid4()), "ada", "sql", 3, mode)))
            await first.pools()._refresh(organization, await first.pools().current(organization, "sql", 1))
        source.put(organization, publication(12 + round_, number=round_ + 2))
        await first.pools().renew(organization, "sql", round_ + 2)
    assert len({each.difficulty_epoch for each in made}) > 2
    assert {each.publication for each in made} == {1, 2, 3, 4}
    assert len({each.state_lineage for each in made}) == 8
    replay = process().servicer().replay_decision
    for decision in made:
        replayed = await replay(ada, decision.id)
        assert replayed.identical, replayed.difference
    await redis.aclose()
