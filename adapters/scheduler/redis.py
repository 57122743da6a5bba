"""The cache in front of the durable states and records, on the Redis protocol. Losing it loses nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from adapters.scheduler.encoding import decoded_cached_state, decoded_number, encoded_cached_state, encoded_number
from adapters.scheduler.kafka import decision_in
from adapters.shared.grpc import Breaker
from domain.scheduler.ports import HotStates, HotView
from domain.scheduler.state import LearnerState
from domain.shared.coalescer import Coalescer
from domain.shared.errors import Unavailable
from domain.shared.events import EventEnvelope

log = structlog.get_logger()
T = TypeVar("T")
_Keys = tuple[str, str, str]
_Values = tuple[bytes | None, bytes | None, bytes | None]

_KEEP_SECONDS = 14 * 86_400
_KEEP_RECORD_SECONDS = 3_600
_MOST_READS = 64
_FORGOTTEN_AT_ONCE = 500
# A decision begins with a read, so requests that are read together are decided and written together. On a busy machine that halves the
# processor time of each: what the first of them brings into the processor's caches serves the rest. A lone request never waits.
_READS_APART_SECONDS = 0.01
# Every value begins with its version as 8 big-endian bytes, a number below 2^53, which is as far as Lua counts. What is there stays unless
# the new version is higher.
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
# The first key is the set of what is not durable yet; the others are those of the records, whose payloads and places in the set follow in
# turn.
_KEEP_RECORDS = """
for index = 2, #KEYS do
  redis.call('SET', KEYS[index], ARGV[2 * index - 1], 'NX', 'EX', ARGV[1])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[2 * index])
end
return 0
"""
_NOT_DURABLE = "paideia:scheduler:decisions-not-durable"


class _Guard:
    """Runs commands, and stands in for their answers while the cache is away. An absent cache is asked again every second and costs nothing
    in between."""

    def __init__(self) -> None:
        self._breaker = Breaker(failures=2, cool_off=1.0)

    @property
    def away(self) -> bool:
        return self._breaker.tripped

    async def __call__(self, command: Callable[[], Awaitable[Any]], otherwise: T) -> T:
        try:
            self._breaker.check()
        except Unavailable:
            return otherwise
        try:
            result: T = await command()
        except (RedisError, OSError, TimeoutError) as error:
            self._breaker.failed()
            log.warning("the cache is away; what it had comes from the database", error=str(error))
            return otherwise
        self._breaker.succeeded()
        return result


class RedisHotStates(HotStates):
    """Reads of concurrent requests share a round trip."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._keep_newer = redis.register_script(_KEEP_NEWER)
        self._guarded = _Guard()
        self._reads: Coalescer[_Keys, _Values] = Coalescer(self._read_many, _MOST_READS, apart=_READS_APART_SECONDS)

    async def read(self, organization: str, learner: str, course: str, decision_id: str) -> HotView:
        state, number, record = await self._reads(
            "",
            (_state_key(organization, learner), _publication_key(organization, course), _record_key(organization, decision_id)),
        )
        return HotView(
            decoded_cached_state(state) if state else None,
            decoded_number(number) if number else None,
            decision_in(record) if record else None,
        )

    async def states(self, organization: str, learners: Sequence[str]) -> dict[str, LearnerState]:
        if not learners:
            return {}
        values = await self._get([_state_key(organization, each) for each in learners])
        found = {learner: decoded_cached_state(value) for learner, value in zip(learners, values, strict=True) if value}
        return {learner: state for learner, state in found.items() if state is not None}

    async def keep(self, organization: str, states: Mapping[str, LearnerState]) -> None:
        await self._keep({_state_key(organization, learner): encoded_cached_state(state) for learner, state in states.items()})

    async def keep_publication(self, organization: str, course: str, number: int) -> None:
        await self._keep({_publication_key(organization, course): encoded_number(number)})

    async def _keep(self, values: Mapping[str, bytes]) -> None:
        if values:
            arguments: list[bytes | int] = [_KEEP_SECONDS, *values.values()]
            await self._guarded(lambda: self._keep_newer(keys=list(values), args=arguments), None)

    async def _read_many(self, _: str, requests: Sequence[_Keys]) -> Sequence[_Values]:
        keys = list(dict.fromkeys([key for request in requests for key in request]))  # the publication's key is that of most
        values = dict(zip(keys, await self._get(keys), strict=True))
        return [(values[state], values[number], values[record]) for state, number, record in requests]

    async def _get(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return await self._guarded(lambda: self._redis.mget(keys), [None] * len(keys))


class RedisRecords:
    """The records of the last hour, and which of them are not durable yet."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._guarded = _Guard()
        self._answers: set[asyncio.Task[None]] = set()

    @property
    def away(self) -> bool:
        """Whether the cache was away when it was last asked: what is kept now may not reach it."""
        return self._guarded.away

    async def keep(self, records: Sequence[EventEnvelope], now: float) -> None:
        """Keeps each record unless its id is taken, and notes when it was kept (Unix seconds).

        Returns when the records are on their way, without waiting for the answer: from then on they outlive this process.
        """
        words: list[bytes | int | str | float] = ["EVAL", _KEEP_RECORDS, 1 + len(records), _NOT_DURABLE]
        words += [_record_key(each.organization, each.id) for each in records]
        words += (_KEEP_RECORD_SECONDS, now)
        for each in records:
            words += (each.payload, _place(each))

        async def send() -> None:
            connection: AbstractConnection = await self._redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.send_command(*words)
            except BaseException:
                await self._redis.connection_pool.release(connection)
                raise
            task = asyncio.create_task(self._guarded(lambda: self._answered(connection), None))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

        await self._guarded(send, None)

    async def _answered(self, connection: AbstractConnection) -> None:
        try:
            await connection.read_response()
        finally:
            await self._redis.connection_pool.release(connection)

    async def remember(self, record: EventEnvelope) -> None:
        """Keeps a record that is durable."""
        key = _record_key(record.organization, record.id)
        await self._guarded(lambda: self._redis.set(key, record.payload, nx=True, ex=_KEEP_RECORD_SECONDS), None)

    async def get(self, organization: str, decision_id: str) -> bytes | None:
        return await self._guarded(lambda: self._redis.get(_record_key(organization, decision_id)), None)

    async def durable(self, records: Sequence[EventEnvelope]) -> None:
        """Takes note that these are durable."""
        await self._guarded(lambda: self._redis.zrem(_NOT_DURABLE, *map(_place, records)), None)

    async def left_behind(self, before: float, most: int) -> list[tuple[str, str, bytes]]:
        """Returns the organizations, ids and records kept before a moment (Unix seconds) that nobody has made durable."""
        places: list[bytes] = await self._guarded(
            lambda: self._redis.zrange(_NOT_DURABLE, 0, before, byscore=True, offset=0, num=most), []
        )
        if not places:
            return []
        names = [tuple(place.decode().split(" ")) for place in places]
        keys = [_record_key(*name) for name in names]
        records: list[bytes | None] = await self._guarded(lambda: self._redis.mget(keys), [None] * len(names))
        return [
            (organization, decision_id, record)
            for (organization, decision_id), record in zip(names, records, strict=True)
            if record
        ]


def _place(record: EventEnvelope) -> str:
    return f"{record.organization} {record.id}"


def _record_key(organization: str, decision_id: str) -> str:
    return f"paideia:scheduler:decision:{organization}:{decision_id}"


def _state_key(organization: str, learner: str) -> str:
    return f"paideia:scheduler:state:{organization}:{learner}"


def _publication_key(organization: str, course: str) -> str:
    return f"paideia:scheduler:publication:{organization}:{course}"


async def forget_learner(redis: Redis, organization: str, learner: str, decisions: Sequence[str]) -> None:
    """Removes a learner's state and the records of these decisions. Raises Unavailable: what is to be forgotten must not be left behind."""
    keys = [_state_key(organization, learner), *(_record_key(organization, each) for each in decisions)]
    try:
        for at in range(0, len(keys), _FORGOTTEN_AT_ONCE):
            await redis.delete(*keys[at : at + _FORGOTTEN_AT_ONCE])
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable("the cache is away, and must forget a learner") from error
