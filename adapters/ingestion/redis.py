"""Events of a day, counted in Valkey. Counting is for fairness: without the store events are taken all the same."""

import time
from collections.abc import Callable
from datetime import date
from typing import cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.ingestion.ports import EventCounter
from domain.shared.errors import Unavailable

log = structlog.get_logger()

_KEPT_SECONDS = 2 * 24 * 3600
_REST_SECONDS = 2.0
"""How long a store that failed is not asked: its patience would be the senders'."""


class RedisEventCounter(EventCounter):
    def __init__(self, redis: Redis, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._monotonic = monotonic
        self._rests_until = 0.0

    async def add(self, organization: str, day: date, count: int) -> int:
        if self._monotonic() < self._rests_until:
            return 0
        key = _key(organization, day)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.incrby(key, count)
                pipeline.expire(key, _KEPT_SECONDS)
                return cast(int, (await pipeline.execute())[0])
        except (RedisError, OSError) as error:
            self._rests_until = self._monotonic() + _REST_SECONDS
            log.warning("events are not counted at present", error=type(error).__name__)
            return 0

    async def of(self, organization: str, day: date) -> int:
        try:
            return max(0, int(await self._redis.get(_key(organization, day)) or 0))
        except (RedisError, OSError) as error:
            raise Unavailable("the store that counts events is away") from error


def _key(organization: str, day: date) -> str:
    return f"ingestion:events:{organization}:{day.isoformat()}"
