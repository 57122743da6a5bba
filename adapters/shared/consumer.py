"""The log's consumer: batches to a handler, offsets after it.

At least once: a message comes again after a crash, so handlers count an event id once. What becomes of a message that fails is Delivery's
affair. While a batch is on its way, however long that takes, the consumer pauses its partitions and goes on talking to its group: an outage
does not cost it its membership, and a rebalance waits for no more than the call under way.
"""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from time import monotonic

import confluent_kafka
import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from prometheus_client import Gauge

from adapters.shared.delivery import OUTAGES, DeadLetters, Delivery, Handler, Message, Patience, dead_letter_of
from adapters.shared.kafka import NOTICE_SILENCE, BrokerTrouble, LogUnavailable
from adapters.shared.topics import SELDOM, ensure_topics

__all__ = ["ConsumerRuntime", "Delivery", "Handler", "Message", "Patience", "dead_letter_of"]

log = structlog.get_logger()

_POLL_SECONDS = 0.5
# A commit costs the broker two writes to its storage; what a crash loses of it comes again, and counts once.
_COMMIT_SECONDS = 1.0
_START_AGAIN_SECONDS = 1.0
_KEEP_SECONDS = 2.0
# A member that is asked for its partitions finishes the call under way first. Should that take longer, the next owner begins with what was
# committed, and the event ids see to it that nothing counts twice.
_LETTING_GO_SECONDS = 30.0
# How long the broker keeps a question that finds nothing, at the cost of two looks. It may keep back what it finds for as long, so this is
# short where somebody waits. A heartbeat costs it a write: a group forms as soon with one a second as with two, and a second later with one in
# two seconds.
_FETCH_MILLISECONDS, _HEARTBEAT_MILLISECONDS = 200, 1_000
_LEISURELY_FETCH_MILLISECONDS, _LEISURELY_HEARTBEAT_MILLISECONDS = 500, 2_000

lag = Gauge(
    "paideia_consumer_lag_messages",
    "Messages of a partition that were not handled yet, by the end that the broker told last",
    ["group", "topic", "partition"],
)


class ConsumerRuntime:
    """One member of a consumer group. `run` it as a job of its context."""

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topics: Sequence[str],
        handler: Handler,
        dead_letters: DeadLetters,
        *,
        batch_size: int = 500,
        patience: Patience | None = None,
        leisurely: bool = False,
    ) -> None:
        """`group` is the name of the context: every process that runs it shares the work. One that is `leisurely`, since nobody waits for what
        it does, may have a message half a second later, and spares the broker most of its questions."""
        self._bootstrap = bootstrap
        self._group = group
        self._topics = list(topics)
        self._batch_size = batch_size
        self._leisurely = leisurely or SELDOM.issuperset(topics)
        self._delivery = Delivery(group, handler, dead_letters, patience or Patience())
        self._session: _Session | None = None

    async def run(self) -> None:
        """Consumes until cancelled; outlives the broker and what the handler needs."""
        while True:
            try:
                await ensure_topics(self._bootstrap, self._topics)
                await self._consume()
            except (KafkaException, *OUTAGES) as error:
                log.warning("the consumer starts again", group=self._group, error=str(error))
            await asyncio.sleep(_START_AGAIN_SECONDS)

    async def ready(self) -> None:
        """Raises Unavailable unless the group has told this member which partitions are its own."""
        if self._session is None or not self._session.joined:
            raise LogUnavailable(f"consumer {self._group} has not joined its group")

    async def _consume(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, f"consumer-{self._group}") as thread:
            session = self._session = _Session(self._bootstrap, self._group, self._topics, loop, self._leisurely)
            try:
                while True:
                    if batch := await loop.run_in_executor(thread, session.poll, self._batch_size):
                        await self._handle(session, batch, thread)
            finally:
                self._session = None
                await asyncio.shield(loop.run_in_executor(thread, session.close))

    async def _handle(self, session: "_Session", batch: Sequence[Message], thread: ThreadPoolExecutor) -> None:
        """Delivers a batch, or as much of it as there is time for when the partitions are asked for."""
        stop = session.begin()
        work = asyncio.create_task(self._delivery(batch, session.handled, stop))
        # The session's thread may be waiting for this while it lets partitions go.
        work.add_done_callback(lambda _: session.end())
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=_KEEP_SECONDS)
                if not work.done():
                    await asyncio.get_running_loop().run_in_executor(thread, session.keep)
            work.result()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


class _Session:
    """A consumer from its joining to its leaving.

    `begin`, `handled` and `end` are called on the event loop, all else, and librdkafka's callbacks, in the consumer's own thread.
    """

    def __init__(self, bootstrap: str, group: str, topics: list[str], loop: asyncio.AbstractEventLoop, leisurely: bool) -> None:
        self._group = group
        self._loop = loop
        self._owned: set[tuple[str, int]] = set()
        self._lock = threading.Lock()
        self._positions: dict[tuple[str, int], int] = {}
        self._reached: dict[tuple[str, int], int] = {}
        self._idle = threading.Event()
        self._idle.set()
        self._stop = asyncio.Event()
        self._early: list[confluent_kafka.Message] = []
        self._paused = False
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
                "heartbeat.interval.ms": _LEISURELY_HEARTBEAT_MILLISECONDS if leisurely else _HEARTBEAT_MILLISECONDS,
                "session.timeout.ms": 6_000,
                # It polls every two seconds, batch or no batch: one that does not is stuck, and others take over.
                "max.poll.interval.ms": 120_000,
                "fetch.wait.max.ms": _LEISURELY_FETCH_MILLISECONDS if leisurely else _FETCH_MILLISECONDS,
                "queued.min.messages": 10_000,
                "queued.max.messages.kbytes": 16 * 1024,
                "fetch.queue.backoff.ms": 10,
                "fetch.error.backoff.ms": 200,
                "retry.backoff.ms": 50,
                "retry.backoff.max.ms": 500,
                "reconnect.backoff.ms": 100,
                "reconnect.backoff.max.ms": 1_000,
                **NOTICE_SILENCE,
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
        if self._paused and self._owned:
            self._consumer.resume([TopicPartition(*at) for at in self._owned])
            self._paused = False
        if monotonic() >= self._commit_at:
            self._commit(asynchronous=True)
        early, self._early = self._early, []
        first = None if early else self._consumer.poll(_POLL_SECONDS)
        if first is None and not early:
            return []
        rest = self._consumer.consume(most - 1, 0) if most > 1 else []
        return [Message.of(each) for each in chain(early, (first,) if first else (), rest) if self._is_good(each)]

    def keep(self) -> None:
        """Keeps the membership, and takes part in a rebalance, while a batch is on its way: nothing new is fetched."""
        self._paused = True
        self._consumer.pause([TopicPartition(*at) for at in self._owned])
        self._commit(asynchronous=True)
        if (message := self._consumer.poll(0)) is not None:
            self._early.append(message)

    def begin(self) -> asyncio.Event:
        """Notes that a batch is on its way; the event that is returned is set when it is to stop."""
        self._stop = asyncio.Event()
        self._idle.clear()
        return self._stop

    def handled(self, batch: Sequence[Message]) -> None:
        """Notes that these messages, the first of the batch that were not noted yet, need not come again."""
        with self._lock:
            self._positions.update(((each.topic, each.partition), each.offset + 1) for each in batch)

    def end(self) -> None:
        """Notes that no batch is on its way."""
        self._idle.set()

    def close(self) -> None:
        """Commits what was handled and leaves the group, so that others need not wait for this member to time out."""
        self._commit(asynchronous=False)
        self._consumer.close()

    def _commit(self, asynchronous: bool) -> None:
        self._commit_at = monotonic() + _COMMIT_SECONDS
        with self._lock:
            positions, self._positions = self._positions, {}
        self._reached |= positions
        self._measure()
        # A partition that went to another member between poll and consume is that member's to commit.
        offsets = [TopicPartition(*at, offset) for at, offset in positions.items() if at in self._owned]
        if not offsets:
            return
        try:
            if asynchronous:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            log.warning("offsets not committed; their messages may come again", group=self._group, error=str(error))

    def _measure(self) -> None:
        """Keeps the lag of the partitions that something was handled of. The ends are those that came with the last messages."""
        for at in self._owned & self._reached.keys():
            _, end = self._consumer.get_watermark_offsets(TopicPartition(*at), cached=True)
            lag.labels(self._group, at[0], at[1]).set(max(0, end - self._reached[at]))

    def _is_good(self, message: "confluent_kafka.Message") -> bool:
        error = message.error()
        if error is None:
            return (message.topic(), message.partition()) in self._owned
        if error.fatal() or error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED):
            raise KafkaException(error)
        self._trouble(error)
        return False

    def _assigned(self, consumer: object, partitions: Sequence[TopicPartition]) -> None:
        self._owned = {(each.topic, each.partition) for each in partitions}
        self.joined = True
        # A partition that went away while it was paused comes back so.
        self._paused = True
        log.info("partitions assigned", group=self._group, partitions=sorted(f"{t}/{p}" for t, p in self._owned))

    def _revoked(self, consumer: object, partitions: Sequence[TopicPartition]) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        if not self._idle.wait(_LETTING_GO_SECONDS):
            log.warning("partitions go while a batch is on its way", group=self._group)
        self._commit(asynchronous=False)
        self._lost(consumer, partitions)

    def _lost(self, consumer: object, partitions: Sequence[TopicPartition]) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        for at in self._owned & self._reached.keys():
            lag.remove(self._group, at[0], str(at[1]))
        self._owned, self._reached, self._early = set(), {}, []
        self.joined = False
