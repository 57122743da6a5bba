"""Learners in the scheduler: states, their history and the records of decisions go; the lake keeps decisions under a pseudonym."""

from collections.abc import Mapping

import asyncpg
from redis.asyncio import Redis

from adapters.scheduler.redis import forget_learner
from adapters.shared.asyncpg_unit import AsyncpgUnit
from adapters.shared.personal_records import Fate, Held, TablesOfPeople

TABLES = (
    Held("decisions", "learner", Fate.DELETED, hidden=("record",)),
    Held("learner_states", "learner", Fate.DELETED, hidden=("state",)),
    Held("learner_updates", "learner", Fate.DELETED, hidden=("content",)),
    Held("learner_repairs", "learner", Fate.DELETED, hidden=("content",)),
    Held("policy_changes", "changed_by", Fate.RENAMED, exported=False),
)
_DECISIONS = "SELECT id::text FROM decisions WHERE organization_id = $1 AND learner = $2"


class LearnersInScheduler(TablesOfPeople):
    """The cache is emptied of a learner before the tables and again after them: what is read in between comes back for a moment."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis) -> None:
        super().__init__(pool, TABLES)
        self._redis = redis

    async def erase(self, organization: str, person: str, pseudonym: str) -> Mapping[str, int]:
        async with AsyncpgUnit(self._pool, organization) as unit:
            decisions = [row[0] for row in await unit.connection.fetch(_DECISIONS, organization, person)]
        await forget_learner(self._redis, organization, person, decisions)
        counts = await super().erase(organization, person, pseudonym)
        await forget_learner(self._redis, organization, person, decisions)
        return counts
