"""The log's producer for masses: one request at a time carries what has come since the one before it.

librdkafka spends on each message what a batch of them costs here: a call, a list of headers, a delivery report. Here a message is its bytes,
made once by whoever sends it, and a round has one answer for each partition. The connection is aiokafka's.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

import structlog
from aiokafka.client import AIOKafkaClient  # type: ignore[import-untyped]
from aiokafka.errors import (  # type: ignore[import-untyped]
    InvalidMessageError,
    KafkaError,
    LeaderNotAvailableError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownError,
    for_code,
)
from aiokafka.protocol.produce import ProduceRequest  # type: ignore[import-untyped]
from aiokafka.structs import TopicPartition  # type: ignore[import-untyped]

from adapters.shared.kafka import CircuitBreaker, LogUnavailable, produced
from adapters.shared.record_batch import record_batch

Lane = tuple[str, int]
"""A topic and one of its partitions."""

log = structlog.get_logger()
# It repeats every failed attempt; what matters of them is told below, now and then.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

_ALL_REPLICAS = -1
_REQUEST_SECONDS = 5.0
_BACKOFF_SECONDS = 0.1
_ANSWER_SECONDS = 1.5
_TROUBLE_SECONDS = 10.0
# Of the time that the last round took, and at most.
_GATHERING, _GATHERING_SECONDS = 0.4, 0.025
_BATCH_BYTES = 900_000  # brokers take a million
_HELD_RECORDS = 100_000
_HELD_BYTES = 128 * 1024 * 1024
# Errors that say something about one message, and nothing about the broker.
_OF_THE_MESSAGE = (MessageSizeTooLargeError, InvalidMessageError, RecordListTooLargeError)


@dataclass(slots=True, eq=False)
class _Call:
    """What one call weighs, until when somebody waits for it, and how many of its pieces are still to be sent."""

    records: int
    bytes: int
    deadline: float
    done: "asyncio.Future[Exception | None]"
    pieces: int = 0
    error: Exception | None = None


@dataclass(slots=True)
class _Queue:
    """What waits for one partition: pieces of calls with their bytes, and before them the batch that is sent until the broker has it."""

    pieces: deque[tuple[_Call, list[bytes], int]] = field(default_factory=deque)
    batch: bytes | None = None
    calls: list[_Call] = field(default_factory=list)
    not_before: float = 0.0

    def add(self, call: _Call, records: list[bytes], size: int) -> None:
        """Cuts what is too large for a batch."""
        if size <= _BATCH_BYTES:
            self._append(call, records, size)
            return
        piece: list[bytes] = []
        taken = 0
        for record in records:
            if taken + len(record) > _BATCH_BYTES and piece:
                self._append(call, piece, taken)
                piece, taken = [], 0
            piece.append(record)
            taken += len(record)
        self._append(call, piece, taken)

    def _append(self, call: _Call, piece: list[bytes], size: int) -> None:
        call.pieces += 1
        self.pieces.append((call, piece, size))

    def fill(self, milliseconds: int) -> bytes | None:
        """Returns the batch to send now, None if there is none. Leaves out what nobody waits for any more."""
        if self.batch is None and self.pieces:
            records: list[bytes] = []
            size = 0
            while self.pieces:
                call, piece, more = self.pieces[0]
                size += more
                if size > _BATCH_BYTES and records:
                    break
                self.pieces.popleft()
                self.calls.append(call)
                if not call.done.done():
                    records += piece
            self.batch = record_batch(records, milliseconds) if records else None
        return self.batch

    def settle(self) -> list[_Call]:
        """Forgets the batch, and returns the calls that have pieces in it."""
        calls, self.calls, self.batch = self.calls, [], None
        return calls


class RoundProducer:
    """Sends to the log. Belongs to the event loop that first uses it.

    What is sent is in the log, in order per partition, when `send` returns. At most `delivery_timeout` later it raises Unavailable instead; then
    some of it may be in the log. With the broker away, it raises at once until a trial shows that the broker is back.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        client_id: str = "paideia",
        delivery_timeout: timedelta = timedelta(seconds=10),
        pause_after_failure: timedelta = timedelta(seconds=1),
    ) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._timeout = delivery_timeout.total_seconds()
        self._breaker = CircuitBreaker(pause_after_failure)
        self._client: AIOKafkaClient | None = None
        self._connecting = asyncio.Lock()
        self._queues: defaultdict[Lane, _Queue] = defaultdict(_Queue)
        self._held_records = self._held_bytes = 0
        self._worker: asyncio.Task[None] | None = None
        self._silent_until = 0.0

    async def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        """Returns how many partitions each topic has. Raises Unavailable, also for a topic that is not there."""
        if counts := self._counted(topics := list(topics)):
            return counts
        self._check_circuit()
        try:
            async with asyncio.timeout(self._timeout):
                while not (counts := self._counted(topics)):
                    try:
                        await (await self._connected()).force_metadata_update()
                    except KafkaError as error:
                        self._complain(error)
                    await asyncio.sleep(_BACKOFF_SECONDS)
        except TimeoutError:
            self._breaker.failed()
            raise LogUnavailable("the event log does not answer, or lacks a topic") from None
        return counts

    async def send(self, lanes: Mapping[Lane, list[bytes]]) -> None:
        """Returns when the log has all records, as `adapters.shared.record_batch` makes them. Raises Unavailable."""
        records, sizes = sum(map(len, lanes.values())), {lane: sum(map(len, each)) for lane, each in lanes.items()}
        size = sum(sizes.values())
        if not records:
            return
        self._check_circuit()
        if self._held_records + records > _HELD_RECORDS or self._held_bytes + size > _HELD_BYTES:
            raise LogUnavailable("the event log is too slow for what it is sent")
        call = _Call(records, size, monotonic() + self._timeout, asyncio.get_running_loop().create_future())
        self._held_records += records
        self._held_bytes += size
        for lane, each in lanes.items():
            if each:
                self._queues[lane].add(call, each, sizes[lane])
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        error: Exception | None
        try:
            async with asyncio.timeout(self._timeout):
                error = await call.done
        except TimeoutError as late:
            error = late
        if error is not None:
            produced.labels("failed").inc(records)
            if not isinstance(error, _OF_THE_MESSAGE):
                self._breaker.failed()
            raise LogUnavailable(f"the event log did not take everything: {error!r}")
        self._breaker.succeeded()
        produced.labels("acknowledged").inc(records)

    async def ready(self) -> None:
        """Raises Unavailable when the broker does not answer in time."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await (await self._connected()).fetch_all_metadata()
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"the event log does not answer: {error!r}") from error

    async def close(self) -> None:
        """Waits until what is under way is delivered, at most the delivery timeout."""
        if self._worker is not None:
            _, left = await asyncio.wait({self._worker}, timeout=self._timeout)
            for worker in left:
                worker.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        await self._disconnect()

    def _check_circuit(self) -> None:
        if wait := self._breaker.remaining():
            raise LogUnavailable("the event log is away", wait)

    async def _work(self) -> None:
        """Makes rounds while there is something to send."""
        took = 0.0
        while self._queues:
            # Callers that the last round has answered come back together: the first would have a round, as dear as a full one, to itself.
            await asyncio.sleep(min(_GATHERING * took, _GATHERING_SECONDS))
            began = monotonic()
            try:
                await self._round()
            except Exception as error:
                log.exception("a round of the log failed for a fault of ours")
                for queue in self._queues.values():
                    for call in (*queue.settle(), *(call for call, *_ in queue.pieces)):
                        self._settle(call, error)
                self._queues.clear()
            took = monotonic() - began
        self._worker = None

    async def _round(self) -> None:
        """Sends the first batch of each partition, and keeps those that are worth another attempt."""
        now, milliseconds = monotonic(), int(time.time() * 1000)
        due = [lane for lane, queue in self._queues.items() if queue.not_before <= now]
        parts: dict[Lane, bytes] = {}
        for lane in due:
            if (batch := self._queues[lane].fill(milliseconds)) is not None:
                parts[lane] = batch
            else:
                self._end(lane, None)
        if not due:
            await asyncio.sleep(min(queue.not_before for queue in self._queues.values()) - now)
        if not parts:
            return
        wrong = await self._attempted(parts)
        now = monotonic()
        given_up = False
        for lane in parts:
            queue, error = self._queues[lane], wrong.get(lane)
            if error is not None and error.retriable:
                if any(now < call.deadline and not call.done.done() for call in queue.calls):
                    queue.not_before = now + _BACKOFF_SECONDS
                    continue
                given_up = True
            self._end(lane, error)
        if wrong:
            self._complain(next(iter(wrong.values())))
            if given_up:
                # Whatever is wrong, the next attempt begins with a new connection.
                await self._disconnect()
            elif self._client is not None:
                self._client.force_metadata_update()

    def _end(self, lane: Lane, error: Exception | None) -> None:
        """Notes the end of a partition's batch."""
        queue = self._queues[lane]
        for call in queue.settle():
            self._settle(call, error)
        if not queue.pieces:
            del self._queues[lane]

    def _settle(self, call: _Call, error: Exception | None) -> None:
        """Notes the end of a piece of a call."""
        call.pieces -= 1
        call.error = call.error or error
        if call.pieces == 0:
            self._held_records -= call.records
            self._held_bytes -= call.bytes
            if not call.done.done():
                call.done.set_result(call.error)

    async def _attempted(self, parts: Mapping[Lane, bytes]) -> dict[Lane, KafkaError]:
        """Sends each broker what it leads. Returns what was wrong with the lanes that were not taken."""
        try:
            client = await self._connected()
        except KafkaError as error:
            return dict.fromkeys(parts, error)
        wrong: dict[Lane, KafkaError] = {}
        led: dict[int, dict[Lane, bytes]] = defaultdict(dict)
        for lane, batch in parts.items():
            leader = client.cluster.leader_for_partition(TopicPartition(*lane))
            if leader is None or leader < 0:
                wrong[lane] = LeaderNotAvailableError()
            else:
                led[leader][lane] = batch
        for each in await asyncio.gather(*(self._asked(client, leader, part) for leader, part in led.items())):
            wrong |= each
        return wrong

    async def _asked(self, client: AIOKafkaClient, leader: int, parts: Mapping[Lane, bytes]) -> dict[Lane, KafkaError]:
        topics: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        for (topic, partition), batch in parts.items():
            topics[topic].append((partition, batch))
        request = ProduceRequest(None, _ALL_REPLICAS, int(self._request_seconds * 1000), list(topics.items()))
        try:
            answer = await client.send(leader, request)
        except KafkaError as error:
            return dict.fromkeys(parts, error)
        codes = {(topic, partition): code for topic, partitions in answer.topics for partition, code, *_ in partitions}
        # A partition that the answer passes over was not acknowledged.
        return {lane: for_code(codes[lane])() if lane in codes else UnknownError() for lane in parts if codes.get(lane) != 0}

    @property
    def _request_seconds(self) -> float:
        return min(_REQUEST_SECONDS, self._timeout)

    def _counted(self, topics: Iterable[str]) -> dict[str, int]:
        """Returns the number of partitions of each topic, nothing if one is not known."""
        if self._client is None:
            return {}
        counts = {topic: len(self._client.cluster.partitions_for_topic(topic) or ()) for topic in topics}
        return counts if all(counts.values()) else {}

    async def _connected(self) -> AIOKafkaClient:
        """Returns the client. Raises KafkaError."""
        async with self._connecting:
            if self._client is None:
                client = AIOKafkaClient(
                    bootstrap_servers=self._bootstrap,
                    client_id=self._client_id,
                    request_timeout_ms=int(self._request_seconds * 1000),
                    metadata_max_age_ms=10_000,
                )
                try:
                    await client.bootstrap()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _complain(self, error: Exception) -> None:
        if monotonic() >= self._silent_until:
            self._silent_until = monotonic() + _TROUBLE_SECONDS
            log.warning("trouble with the broker", client=self._client_id, error=repr(error))
