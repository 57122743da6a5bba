"""Records of decisions that are answered before they are durable: nothing but the cache stands between a learner and the next item."""

import asyncio
import time
from collections.abc import Sequence
from itertools import islice

import structlog

from adapters.scheduler.kafka import decision_in, decision_made, decision_told_by
from adapters.scheduler.postgres import PostgresDecisionLog
from adapters.scheduler.redis import RedisRecords
from domain.scheduler.model import Decision
from domain.scheduler.ports import DecisionLog
from domain.shared.coalescer import Coalescer
from domain.shared.errors import DomainError, Unavailable
from domain.shared.events import EventEnvelope

log = structlog.get_logger()

# What may wait in memory while the database is away: about a minute of a busy process.
_MOST_WAITING = 20_000
_MOST_TOGETHER = 500
# Two transactions begin so far apart: a record is durable a moment later, at a fraction of the price.
_APART_SECONDS = 0.05
_LOOK_SECONDS = 5.0
_RETRY_SECONDS = 0.5


class WriteBehindDecisionLog(DecisionLog):
    """A kept record is in this process's memory and on its way to the cache; `run` makes it durable in a transaction that many share. So it
    outlives the death of this process, from whose hands any other takes it over, and that of the cache; only both dying within that
    moment lose it. While the cache is away, records are durable before they are answered."""

    def __init__(self, records: RedisRecords, durable: PostgresDecisionLog, left_behind_seconds: float = 15.0) -> None:
        """What is not durable after `left_behind_seconds` is taken over by whichever process looks next."""
        self._left_behind_seconds = left_behind_seconds
        self._records = records
        self._durable = durable
        self._waiting: dict[tuple[str, str], EventEnvelope] = {}
        self._caching: Coalescer[EventEnvelope, None] = Coalescer(self._cache, _MOST_TOGETHER)
        self._wake = asyncio.Event()

    async def add(self, organization: str, decision: Decision) -> Decision:
        kept = await self._durable.add(organization, decision)
        await self._records.remember(decision_made(organization, kept))
        return kept

    async def keep(self, organization: str, decision: Decision) -> Decision:
        if self._records.away:
            return await self.add(organization, decision)
        if (held := self._waiting.get((organization, decision.id))) is not None:
            return decision_in(held.payload)
        if len(self._waiting) >= _MOST_WAITING:
            raise Unavailable("too many decisions wait for the database")
        envelope = self._waiting[organization, decision.id] = decision_made(organization, decision)
        self._wake.set()
        await self._caching("", envelope)
        return decision

    async def get(self, organization: str, decision_id: str) -> Decision:
        if (held := self._waiting.get((organization, decision_id))) is not None:
            return decision_in(held.payload)
        if (record := await self._records.get(organization, decision_id)) is not None:
            return decision_in(record)
        return await self._durable.get(organization, decision_id)

    async def run(self) -> None:
        """Makes durable what waits, until cancelled, and what other processes left behind."""
        looked_at = -_LOOK_SECONDS
        while True:
            if time.monotonic() - looked_at >= _LOOK_SECONDS:
                looked_at = time.monotonic()
                await self._adopt()
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()
            begun = set(self._waiting)
            await self.flush()
            # What came meanwhile waits for its turn; what was begun and is still there waits for the database.
            await asyncio.sleep(_RETRY_SECONDS if begun & self._waiting.keys() else _APART_SECONDS)

    async def flush(self) -> None:
        """Makes durable what waits now. What the database is away for goes on waiting."""
        waiting = list(self._waiting.values())
        for organization in dict.fromkeys([each.organization for each in waiting]):
            own = iter([each for each in waiting if each.organization == organization])
            while batch := list(islice(own, _MOST_TOGETHER)):
                await self._settle(organization, batch)
        if self._waiting:
            self._wake.set()

    async def _settle(self, organization: str, batch: Sequence[EventEnvelope]) -> None:
        try:
            await self._durable.add_records(organization, batch)
        except ValueError:
            if len(batch) > 1:  # one of them is at fault; its neighbours shall not wait for it
                for each in batch:
                    await self._settle(organization, [each])
                return
            log.exception("a decision's record cannot be stored", decision=batch[0].id, organization=organization)
        except Exception as error:  # whatever a dying database or its driver came up with, none of the records is at fault
            log.warning(
                "decisions are not durable yet",
                count=len(self._waiting),
                error=str(error),
                exc_info=not isinstance(error, DomainError),
            )
            return
        for each in batch:
            self._waiting.pop((organization, each.id), None)
        await self._records.durable(batch)

    async def _adopt(self) -> None:
        """Takes over what was kept long ago by a process that has died since."""
        for organization, decision_id, record in await self._records.left_behind(
            time.time() - self._left_behind_seconds, _MOST_TOGETHER
        ):
            self._waiting.setdefault((organization, decision_id), decision_told_by(organization, record))
            self._wake.set()

    async def _cache(self, _: str, records: Sequence[EventEnvelope]) -> Sequence[None]:
        await self._records.keep(records, time.time())
        return [None] * len(records)
