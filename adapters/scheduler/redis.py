"""The cache in front of the durable states, on the Redis protocol. Losing it loses nothing."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.scheduler.coalescer import Coalescer
from adapters.scheduler.encoding import decoded_number, decoded_state, encoded_number, encoded_state
from adapters.shared.grpc import Breaker
from domain.scheduler.ports import HotStates, HotView
from domain.scheduler.state import LearnerState
from domain.shared.errors import Unavailable

log = structlog.get_logger()
T = TypeVar("T")

_KEEP_SECONDS = 14 * 86_400
_MOST_READS = 64
# A decision begins with a read, so requests that are read together are decided and written together. On a busy machine that halves the
# processor time of each: what the first of them brings into the processor's caches serves the rest. A lone request never waits.
_READS_APART_SECONDS = 0.01
# Every value begins with its version as 8 big-endian bytes. What is there stays unless the new version is higher.
_KEEP_NEWER = """
for index, key in ipairs(KEYS) do
  local value = ARGV[index + 1]
  local held = redis.call('GETRANGE', key, 0, 7)
  if #held < 8 or struct.unpack('>I8', held) < struct.unpack('>I8', value) then
    redis.call('SET', key, value, 'EX', ARGV[1])
  end
end
return 0
"""


class RedisHotStates(HotStates):
    """Reads of concurrent requests share a round trip. An absent cache is asked again every second and costs nothing in between."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._keep_newer = redis.register_script(_KEEP_NEWER)
        self._breaker = Breaker(failures=2, cool_off=1.0)
        self._reads: Coalescer[tuple[str, str], tuple[bytes | None, bytes | None]] = Coalescer(
            self._read_many, _MOST_READS, _READS_APART_SECONDS
        )

    async def read(self, organization: str, learner: str, course: str) -> HotView:
        state, number = await self._reads((_state_key(organization, learner), _publication_key(organization, course)))
        return HotView(decoded_state(state) if state else None, decoded_number(number) if number else None)

    async def states(self, organization: str, learners: Sequence[str]) -> dict[str, LearnerState]:
        if not learners:
            return {}
        values = await self._get([_state_key(organization, each) for each in learners])
        found = {learner: decoded_state(value) for learner, value in zip(learners, values, strict=True) if value}
        return {learner: state for learner, state in found.items() if state is not None}

    async def keep(self, organization: str, states: Mapping[str, LearnerState]) -> None:
        await self._keep({_state_key(organization, learner): encoded_state(state) for learner, state in states.items()})

    async def keep_publication(self, organization: str, course: str, number: int) -> None:
        await self._keep({_publication_key(organization, course): encoded_number(number)})

    async def _keep(self, values: Mapping[str, bytes]) -> None:
        if values:
            arguments: list[bytes | int] = [_KEEP_SECONDS, *values.values()]
            await self._guarded(lambda: self._keep_newer(keys=list(values), args=arguments), None)

    async def _read_many(self, requests: Sequence[tuple[str, str]]) -> Sequence[tuple[bytes | None, bytes | None]]:
        values = await self._get([key for request in requests for key in request])
        return list(zip(values[::2], values[1::2], strict=True))

    async def _get(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return await self._guarded(lambda: self._redis.mget(list(keys)), [None] * len(keys))

    async def _guarded(self, command: Callable[[], Awaitable[Any]], otherwise: T) -> T:
        try:
            self._breaker.check()
        except Unavailable:
            return otherwise
        try:
            result: T = await command()
        except (RedisError, OSError, TimeoutError) as error:
            self._breaker.failed()
            log.warning("the cache is away; states come from the database", error=str(error))
            return otherwise
        self._breaker.succeeded()
        return result


def _state_key(organization: str, learner: str) -> str:
    return f"paideia:scheduler:state:{organization}:{learner}"


def _publication_key(organization: str, course: str) -> str:
    return f"paideia:scheduler:publication:{organization}:{course}"
