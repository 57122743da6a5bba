"""The log's consumer: batches to a handler, offsets after it, retries, dead letters.

At least once: a message comes again after a crash, so handlers count an event id once. A message that can never be handled costs its
neighbours nothing: the batch is halved until the culprit stands alone.
"""

import asyncio
import contextlib
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from time import monotonic, time

import confluent_kafka
import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from prometheus_client import Counter, Gauge, Histogram

from adapters.shared.kafka import BrokerTrouble, KafkaProducer, LogUnavailable, Record
from adapters.shared.topics import dead_letters_of, ensure_topics
from domain.shared.errors import Unavailable
from domain.shared.trace import continued, current_traceparent, trace_id

log = structlog.get_logger()

_POLL_SECONDS = 0.5
_COMMIT_SECONDS = 0.25
_START_AGAIN_SECONDS = 1.0
# How long an outage is waited for in place. Longer, and the partitions go to a member that may fare better; it must stay well below
# max.poll.interval.ms, after which the group would take them away.
_PATIENCE_SECONDS = 60.0
_OUTAGES = (Unavailable, OSError)

consumed = Counter("paideia_consumer_messages_total", "Messages by what became of them", ["group", "topic", "outcome"])
retries = Counter("paideia_consumer_retries_total", "Repeated calls of a handler", ["group"])
batch_sizes = Histogram("paideia_consumer_batch_size", "Messages a batch", ["group"], buckets=(1, 5, 20, 50, 100, 200, 500, 1000))
# The end of the log is no measure: on some brokers it lags behind what was acknowledged.
position_age = Gauge(
    "paideia_consumer_position_age_seconds", "Age of the newest handled message when it was handled", ["group", "topic"]
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the log. `headers` are texts; `sent_at` is the producer's clock, in seconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]
    sent_at: float = 0.0

    @property
    def organization(self) -> str:
        return self.headers.get("ce_organization", "")

    @property
    def event_id(self) -> str:
        return self.headers.get("ce_id", "")

    @property
    def type(self) -> str:
        return self.headers.get("ce_type", "")

    @property
    def traceparent(self) -> str:
        return self.headers.get("traceparent", "")


Handler = Callable[[Sequence[Message]], Awaitable[None]]
"""Handles a batch, wholly or not at all, and each event id once however often it comes. Raises Unavailable when what it needs is away."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a lone message is tried before it becomes a dead letter, and the pauses between calls, doubling from first to longest."""

    attempts: int = 5
    first_pause: timedelta = timedelta(milliseconds=50)
    longest_pause: timedelta = timedelta(seconds=5)

    def pause(self, failures: int) -> float:
        """Returns the seconds to wait after so many failures in a row."""
        return float(min(self.first_pause.total_seconds() * 2 ** min(failures - 1, 30), self.longest_pause.total_seconds()))


class ConsumerRuntime:
    """One member of a consumer group. `run` it as a job of its context."""

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topics: Sequence[str],
        handler: Handler,
        dead_letters: KafkaProducer,
        *,
        batch_size: int = 500,
        patience: Patience | None = None,
    ) -> None:
        """`group` is the name of the context: every process that runs it shares the work."""
        self._bootstrap = bootstrap
        self._group = group
        self._topics = list(topics)
        self._batch_size = batch_size
        self._delivery = Delivery(group, handler, dead_letters, patience or Patience())
        self._session: _Session | None = None

    async def run(self) -> None:
        """Consumes until cancelled; outlives the broker and what the handler needs."""
        while True:
            try:
                await ensure_topics(self._bootstrap, self._topics)
                await self._consume()
            except (KafkaException, *_OUTAGES) as error:
                log.warning("the consumer starts again", group=self._group, error=str(error))
            await asyncio.sleep(_START_AGAIN_SECONDS)

    async def ready(self) -> None:
        """Raises Unavailable unless the group has told this member which partitions are its own."""
        if self._session is None or not self._session.joined:
            raise LogUnavailable(f"consumer {self._group} has not joined its group")

    async def _consume(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, f"consumer-{self._group}") as thread:
            session = self._session = _Session(self._bootstrap, self._group, self._topics)
            try:
                while True:
                    batch = await loop.run_in_executor(thread, session.poll, self._batch_size)
                    if batch:
                        await self._delivery(batch)
                        session.handled(batch)
            finally:
                self._session = None
                await asyncio.shield(loop.run_in_executor(thread, session.close))


class Delivery:
    """Brings a batch through the handler: waits out outages, halves what fails, and puts aside what fails alone too often."""

    def __init__(self, group: str, handler: Handler, dead_letters: KafkaProducer, patience: Patience) -> None:
        self._group = group
        self._handler = handler
        self._dead_letters = dead_letters
        self._patience = patience

    async def __call__(self, batch: Sequence[Message]) -> None:
        """Returns when every message is handled or in its dead-letter topic. Raises Unavailable when an outage lasts."""
        batch_sizes.labels(self._group).observe(len(batch))
        with self._traced(batch):
            await self._deliver(batch)
        for topic, last in {each.topic: each for each in batch}.items():
            position_age.labels(self._group, topic).set(max(0.0, time() - last.sent_at))

    @contextlib.contextmanager
    def _traced(self, batch: Sequence[Message]) -> Iterator[None]:
        """Logs each trace that the batch belongs to; a batch of one trace continues it."""
        traces = Tally((each.traceparent, each.topic) for each in batch if each.traceparent)
        for (traceparent, topic), count in traces.items():
            log.info("consume", group=self._group, topic=topic, events=count, trace_id=trace_id(traceparent))
        sources = {traceparent for traceparent, _ in traces}
        token = current_traceparent.set(continued(sources.pop() if len(sources) == 1 else ""))
        try:
            yield
        finally:
            current_traceparent.reset(token)

    async def _deliver(self, batch: Sequence[Message]) -> None:
        try:
            await self._call(batch)
        except _OUTAGES:
            raise
        except Exception as error:
            if len(batch) == 1:
                await self._try_alone(batch[0], error)
                return
            log.warning("a batch failed and is halved", group=self._group, size=len(batch), error=_told(error))
            middle = len(batch) // 2
            await self._deliver(batch[:middle])
            await self._deliver(batch[middle:])
        else:
            for topic, count in Tally(each.topic for each in batch).items():
                consumed.labels(self._group, topic, "handled").inc(count)

    async def _call(self, batch: Sequence[Message]) -> None:
        """Calls the handler, again and again while something it needs is away."""
        give_up_at = monotonic() + _PATIENCE_SECONDS
        failures = 0
        while True:
            try:
                await self._handler(batch)
                return
            except _OUTAGES as error:
                if monotonic() > give_up_at:
                    raise
                failures += 1
                log.warning("a batch waits for an outage to end", group=self._group, failures=failures, error=_told(error))
            retries.labels(self._group).inc()
            await asyncio.sleep(self._patience.pause(failures))

    async def _try_alone(self, message: Message, error: Exception) -> None:
        """Repeats the call for a message that has failed alone once, and puts it aside if it goes on failing."""
        for failures in range(1, self._patience.attempts):
            await asyncio.sleep(self._patience.pause(failures))
            retries.labels(self._group).inc()
            try:
                await self._call([message])
            except _OUTAGES:
                raise
            except Exception as again:
                error = again
            else:
                consumed.labels(self._group, message.topic, "handled").inc()
                return
        log.error(
            "dead letter",
            group=self._group,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            event_id=message.event_id,
            trace_id=trace_id(message.traceparent),
            error=_told(error),
        )
        await self._dead_letters.send_records([dead_letter_of(message, self._group, self._patience.attempts, error)])
        consumed.labels(self._group, message.topic, "dead_lettered").inc()


def dead_letter_of(message: Message, group: str, attempts: int, error: Exception) -> Record:
    """Returns the message as its dead-letter topic takes it: unchanged, with headers that say where it was and why it is here."""
    told = {
        "dlq_topic": message.topic,
        "dlq_partition": str(message.partition),
        "dlq_offset": str(message.offset),
        "dlq_group": group,
        "dlq_attempts": str(attempts),
        "dlq_error": _told(error),
        "dlq_time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return dead_letters_of(message.topic), message.key, message.value, list((dict(message.headers) | told).items())


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:1_000]


class _Session:
    """A consumer from its joining to its leaving. Every method but `handled` runs in the consumer's own thread."""

    def __init__(self, bootstrap: str, group: str, topics: list[str]) -> None:
        self._group = group
        self._owned: set[tuple[str, int]] = set()
        self._positions: dict[tuple[str, int], int] = {}
        self._commit_at = 0.0
        self.joined = False
        self._trouble = BrokerTrouble(group)
        self._consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "client.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_uncommitted",
                # With the default three seconds a group takes 23 seconds to form.
                "heartbeat.interval.ms": 500,
                "session.timeout.ms": 6_000,
                # A batch of nothing but dead letters takes minutes; taken away half done, it would begin anew for ever.
                "max.poll.interval.ms": 900_000,
                "fetch.wait.max.ms": 100,
                "queued.min.messages": 10_000,
                "queued.max.messages.kbytes": 16 * 1024,
                "fetch.queue.backoff.ms": 10,
                "fetch.error.backoff.ms": 200,
                "retry.backoff.ms": 50,
                "retry.backoff.max.ms": 500,
                "reconnect.backoff.ms": 100,
                "reconnect.backoff.max.ms": 1_000,
                "topic.metadata.refresh.interval.ms": 10_000,
                # Its own log repeats every failed attempt to connect; BrokerTrouble tells each fault now and then.
                "log_level": 2,
                "error_cb": self._trouble,
            },
            logger=log,
        )
        self._consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def poll(self, most: int) -> list[Message]:
        """Waits a little for a message and returns it with those that have come already, `most` at most."""
        if monotonic() >= self._commit_at:
            self._commit(asynchronous=True)
        first = self._consumer.poll(_POLL_SECONDS)
        if first is None:
            return []
        rest = self._consumer.consume(most - 1, 0) if most > 1 else []
        return [_message(each) for each in chain((first,), rest) if self._is_good(each)]

    def handled(self, batch: Sequence[Message]) -> None:
        """Notes that the batch need not come again."""
        self._positions.update(((each.topic, each.partition), each.offset + 1) for each in batch)

    def close(self) -> None:
        """Commits what was handled and leaves the group, so that others need not wait for this member to time out."""
        self._commit(asynchronous=False)
        self._consumer.close()

    def _commit(self, asynchronous: bool) -> None:
        # A partition that went to another member between poll and consume is that member's to commit.
        offsets = [TopicPartition(*at, offset) for at, offset in self._positions.items() if at in self._owned]
        self._positions = {}
        self._commit_at = monotonic() + _COMMIT_SECONDS
        if not offsets:
            return
        try:
            if asynchronous:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            log.warning("offsets not committed; their messages may come again", group=self._group, error=str(error))

    def _is_good(self, message: "confluent_kafka.Message") -> bool:
        error = message.error()
        if error is None:
            return True
        if error.fatal() or error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED):
            raise KafkaException(error)
        self._trouble(error)
        return False

    def _assigned(self, consumer: object, partitions: Sequence[TopicPartition]) -> None:
        self._owned = {(each.topic, each.partition) for each in partitions}
        self.joined = True
        log.info("partitions assigned", group=self._group, partitions=sorted(f"{t}/{p}" for t, p in self._owned))

    def _revoked(self, consumer: object, partitions: Sequence[TopicPartition]) -> None:
        self._commit(asynchronous=False)
        self._lost(consumer, partitions)

    def _lost(self, consumer: object, partitions: Sequence[TopicPartition]) -> None:
        self._owned = set()
        self.joined = False


def _message(message: "confluent_kafka.Message") -> Message:
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    key = message.key()
    return Message(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=key.decode(errors="replace") if key else "",
        value=message.value() or b"",
        headers={name: value.decode(errors="replace") if isinstance(value, bytes) else value or "" for name, value in pairs},
        sent_at=message.timestamp()[1] / 1000,
    )
