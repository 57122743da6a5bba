"""The log's producer: resolves when the broker has what it was given, and never blocks the event loop.

librdkafka batches, compresses and sends in threads of its own; its delivery reports are served on the event loop, every few milliseconds
while something is under way. (A thread that waits for them would fight the loop for the interpreter's lock on every message.)
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from time import monotonic

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from prometheus_client import Counter

from domain.shared.errors import Unavailable
from domain.shared.events import EventEnvelope

Headers = list[tuple[str, str | bytes | None]]

log = structlog.get_logger()

NOTICE_SILENCE: Mapping[str, int | bool] = {
    "socket.timeout.ms": 10_000,
    "socket.connection.setup.timeout.ms": 5_000,
    "socket.keepalive.enable": True,
}
"""Settings of librdkafka for every client: a network that swallows everything is noticed within these, not after the default minute."""

# A broker in memory answers within a few milliseconds, one on S3 within many: the pauses between two looks grow from the one to the other.
_UNDER_WAY_SECONDS, _UNDER_WAY_LONG_SECONDS = 0.001, 0.008
_IDLE_SECONDS = 1.0
_ANSWER_SECONDS = 1.5
_SLICE = 1_000
_TROUBLE_SECONDS = 10.0
_ANY_PARTITION = -1
_NOW = 0
_BUFFERED_MESSAGES = 100_000
_BUFFERED_KILOBYTES = 128 * 1024
# Calls that wait for their turn hold their records in memory, beside the buffer: more of them are refused.
_MOST_WAITING = 256
# Errors that say something about one message, and nothing about the broker.
_OF_THE_MESSAGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD)

produced = Counter("paideia_log_produced_total", "Messages by what became of them", ["outcome"])
_acknowledged, _failed = produced.labels("acknowledged"), produced.labels("failed")


class LogUnavailable(Unavailable):
    """The broker did not take everything. Sending all of it again is safe: consumers count an event id once."""

    reason = "LOG_UNAVAILABLE"


Record = tuple[str, str, bytes, Headers]
"""One message for the log: topic, key, value, headers. A bare tuple, because hundreds of thousands of them are made in a second."""


def event_headers(id: str, time: str, type: str, source: str, organization: str, traceparent: str) -> Headers:
    """Returns CloudEvents headers, those that differ from event to event first.

    `time` is RFC 3339 in UTC, `source` the name of the context that publishes.
    """
    headers: Headers = [
        ("ce_id", id),
        ("ce_time", time),
        ("ce_type", type),
        ("ce_source", source),
        ("ce_organization", organization),
        ("content-type", "application/protobuf"),
    ]
    if traceparent:
        headers.append(("traceparent", traceparent))
    return headers


def record_of(envelope: EventEnvelope) -> Record:
    """Returns an envelope as the log keeps it. The type names its context: `paideia.catalog.v1.CoursePublished`."""
    source = envelope.type.split(".", 2)[1] if envelope.type.count(".") > 1 else envelope.type
    time = envelope.occurred_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return (
        envelope.topic,
        f"{envelope.organization}/{envelope.key}",
        envelope.payload,
        event_headers(envelope.id, time, envelope.type, source, envelope.organization, envelope.traceparent),
    )


class BrokerTrouble:
    """Logs what librdkafka says of its broker: the same fault of the same client once in ten seconds, for it repeats every attempt."""

    def __init__(self, client: str) -> None:
        self._client = client
        self._silent_until: dict[int, float] = {}

    def __call__(self, error: KafkaError) -> None:
        if monotonic() >= self._silent_until.get(error.code(), 0.0):
            self._silent_until[error.code()] = monotonic() + _TROUBLE_SECONDS
            log.warning("trouble with the broker", client=self._client, error=error.str())


class CircuitBreaker:
    """Lets nothing through for a while after a failure, then one trial; its success closes the circuit."""

    def __init__(self, pause: timedelta, now: Callable[[], float] = monotonic) -> None:
        self._pause = pause.total_seconds()
        self._now = now
        self._closed_again_at = 0.0
        self._open = False

    def remaining(self) -> timedelta:
        """Returns how long to wait before trying; zero when this call may try (and, if the circuit is open, is the trial)."""
        if not self._open:
            return timedelta()
        if (left := self._closed_again_at - self._now()) > 0:
            return timedelta(seconds=left)
        self._closed_again_at = self._now() + self._pause
        return timedelta()

    def succeeded(self) -> None:
        self._open = False

    def failed(self) -> None:
        self._open = True
        self._closed_again_at = self._now() + self._pause


class _Batch:
    """Counts the delivery reports of what was sent together."""

    __slots__ = ("_done", "_error", "_waiting", "complete")

    def __init__(self, done: "asyncio.Future[KafkaError | None]") -> None:
        self._done = done
        self._error: KafkaError | None = None
        self._waiting = 0
        self.complete = False

    def expect(self, messages: int) -> None:
        """Says how many reports will come; the first may have come already."""
        self._waiting += messages
        self.complete = True
        self._settle()

    def report(self, error: KafkaError | None, message: object) -> None:
        self._waiting -= 1
        if error is not None:
            self._error = error
        if not self._waiting:
            self._settle()

    def _settle(self) -> None:
        if self.complete and self._waiting == 0 and not self._done.done():
            self._done.set_result(self._error)


class KafkaProducer:
    """Sends to the log. Belongs to the event loop that first uses it.

    What is sent is in the log, in order per key, when `send` returns. At most `delivery_timeout` later it raises Unavailable instead; then some
    of it may be in the log. With the broker away, it raises at once until a trial shows that the broker is back.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        client_id: str = "paideia",
        delivery_timeout: timedelta = timedelta(seconds=10),
        linger: timedelta = timedelta(milliseconds=2),
        pause_after_failure: timedelta = timedelta(seconds=1),
    ) -> None:
        """`linger` is how long a message may wait for others to share its request."""
        self._timeout = delivery_timeout.total_seconds()
        self._client = Producer(
            {
                "bootstrap.servers": bootstrap,
                "client.id": client_id,
                "acks": "all",
                # One request at a time keeps the order through retries, as idempotence would, at no cost that could be measured
                # (requests grow instead); and a broker that lost its producer states cannot make it fail for ever.
                "max.in.flight.requests.per.connection": 1,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "linger.ms": linger.total_seconds() * 1000,
                "message.timeout.ms": int(self._timeout * 1000),
                "request.timeout.ms": min(5_000, int(self._timeout * 1000)),
                "retry.backoff.ms": 50,
                "retry.backoff.max.ms": 500,
                "reconnect.backoff.ms": 100,
                "reconnect.backoff.max.ms": 1_000,
                **NOTICE_SILENCE,
                "topic.metadata.refresh.interval.ms": 10_000,
                "queue.buffering.max.messages": _BUFFERED_MESSAGES,
                "queue.buffering.max.kbytes": _BUFFERED_KILOBYTES,
                # Its own log repeats every failed attempt to connect; BrokerTrouble tells each fault now and then.
                "log_level": 2,
                "error_cb": BrokerTrouble(client_id),
            },
            logger=log,
        )
        self._breaker = CircuitBreaker(pause_after_failure)
        self._order = asyncio.Lock()
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._under_way = False
        self._pause = _UNDER_WAY_SECONDS
        self._closed = False

    async def send(self, envelopes: Sequence[EventEnvelope]) -> None:
        """Returns when the log has all events. Raises Unavailable."""
        await self.send_records(map(record_of, envelopes))

    async def send_records(self, records: Iterable[Record]) -> None:
        """Returns when the log has all records; two calls' records never mix. Raises Unavailable."""
        done: asyncio.Future[KafkaError | None] = asyncio.get_running_loop().create_future()
        batch = _Batch(done)
        if self._waiting >= _MOST_WAITING:
            raise LogUnavailable("the event log is too slow for what it is sent")
        async with self._turn():
            if wait := self._breaker.remaining():
                raise LogUnavailable("the event log is away", wait)
            count = 0
            try:
                for record in records:
                    if not self._taken(record, batch):
                        await self._take_when_there_is_room(record, batch)
                    count += 1
                    if count % _SLICE == 0:
                        await asyncio.sleep(0)
            finally:
                batch.expect(count)
                self._poll_soon()
        error = await done
        if error is not None:
            if error.code() not in _OF_THE_MESSAGE:
                self._breaker.failed()
            _failed.inc(count)
            raise LogUnavailable(f"the event log did not take everything: {error.str()}")
        self._breaker.succeeded()
        _acknowledged.inc(count)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Waits until no other call is handing over its records."""
        self._waiting += 1
        try:
            await self._order.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._order.release()

    def _taken(self, record: Record, batch: _Batch) -> bool:
        """Puts a record into the buffer, unless it is full."""
        topic, key, value, headers = record
        try:
            # Positional, because keywords cost: any partition, the callback (which has two names), the present moment.
            self._client.produce(topic, value, key, _ANY_PARTITION, batch.report, None, _NOW, headers)
        except BufferError:
            return False
        except KafkaException as error:
            raise LogUnavailable(f"the event log did not take everything: {error}") from error
        return True

    async def _take_when_there_is_room(self, record: Record, batch: _Batch) -> None:
        deadline = monotonic() + self._timeout
        while not self._taken(record, batch):
            if monotonic() > deadline:
                raise LogUnavailable("the event log is too slow for what it is sent")
            self._poll_soon()
            await asyncio.sleep(_UNDER_WAY_SECONDS)

    def _poll_soon(self) -> None:
        if self._under_way or self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._under_way = True
        self._pause = _UNDER_WAY_SECONDS
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._poll)

    def _poll(self) -> None:
        found = self._client.poll(0)
        self._under_way = len(self._client) > 0
        self._pause = _UNDER_WAY_SECONDS if found else min(2 * self._pause, _UNDER_WAY_LONG_SECONDS)
        # Idle, it still looks now and then, for the library's log lines.
        self._timer = asyncio.get_running_loop().call_later(self._pause if self._under_way else _IDLE_SECONDS, self._poll)

    async def ready(self) -> None:
        """Raises Unavailable when the broker does not answer in time."""
        try:
            await asyncio.to_thread(self._client.list_topics, timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            raise LogUnavailable(f"the event log does not answer: {error}") from error

    async def close(self) -> None:
        """Waits until what is under way is delivered, at most the delivery timeout."""
        deadline = monotonic() + self._timeout
        while len(self._client) > 0 and monotonic() < deadline:
            self._client.poll(0)
            await asyncio.sleep(_UNDER_WAY_SECONDS)
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
