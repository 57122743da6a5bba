"""A topic read from given offsets on, for a reader that keeps its own offsets: without a consumer group, and without commits to the log."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar

import confluent_kafka
import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from adapters.shared.delivery import Message
from adapters.shared.kafka import NOTICE_SILENCE, BrokerTrouble, LogUnavailable
from adapters.shared.topics import ensure_topics

log = structlog.get_logger()

T = TypeVar("T")
_POLL_SECONDS = 0.5
_POLL_MESSAGES = 5_000
_MOST_BYTES = 16 * 1024 * 1024
_ANSWER_SECONDS = 10.0


class TopicFrom:
    """Every partition of a topic, from `offsets` on; a partition that is not among them from its beginning.

    Asks for nothing while nobody waits for a batch, so that a slow writer fills no memory.
    """

    def __init__(self, bootstrap: str, topic: str, offsets: Mapping[int, int]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._next = dict(offsets)
        self._thread = ThreadPoolExecutor(1, f"lake-{topic}")
        self._consumer: confluent_kafka.Consumer | None = None

    async def __aenter__(self) -> Self:
        await ensure_topics(self._bootstrap, [self._topic])
        await self._run(self._open)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.shield(self._run(self._close))
        self._thread.shutdown(wait=False)

    async def batch(self, most: int, seconds: float) -> Sequence[Message]:
        """Returns what comes in `seconds`, `most` messages at most, and no more once they are 16 MB; perhaps nothing. Raises Unavailable."""
        found: list[Message] = []
        size = 0
        until = monotonic() + seconds
        while len(found) < most and size < _MOST_BYTES and (left := until - monotonic()) > 0:
            came = await self._run(partial(self._poll, min(_POLL_MESSAGES, most - len(found)), min(left, _POLL_SECONDS)))
            found += came
            size += sum(len(each.value) for each in came)
        return found

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> None:
        try:
            self._consumer = confluent_kafka.Consumer(
                {
                    "bootstrap.servers": self._bootstrap,
                    # Required by the library; the group has no members, and no offsets.
                    "group.id": "lake",
                    "client.id": "lake",
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "earliest",
                    "isolation.level": "read_uncommitted",
                    # A batch is collected for half a minute.
                    "fetch.wait.max.ms": 500,
                    "queued.max.messages.kbytes": 16 * 1024,
                    "fetch.queue.backoff.ms": 10,
                    "reconnect.backoff.max.ms": 1_000,
                    **NOTICE_SILENCE,
                    "log_level": 2,
                    "error_cb": BrokerTrouble("lake"),
                },
                logger=log,
            )
            partitions = self._consumer.list_topics(self._topic, _ANSWER_SECONDS).topics[self._topic].partitions
            self._consumer.assign(
                [TopicPartition(self._topic, each, self._next.get(each, confluent_kafka.OFFSET_BEGINNING)) for each in partitions]
            )
        except KafkaException as error:
            raise LogUnavailable(f"{self._topic} cannot be read now: {error}") from error

    def _poll(self, most: int, seconds: float) -> list[Message]:
        if self._consumer is None:
            raise LogUnavailable(f"{self._topic} was not opened")
        found = []
        for each in self._consumer.consume(most, seconds):
            error = each.error()
            if error is None:
                message = Message.of(each)
                self._check(message)
                found.append(message)
            elif error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise LogUnavailable(f"{self._topic} cannot be read now: {error.str()}")
        return found

    def _check(self, message: Message) -> None:
        """Says when the log has no longer what the lake has not yet."""
        expected = self._next.get(message.partition)
        if expected is not None and message.offset != expected:
            log.warning(
                "the log continues elsewhere", topic=self._topic, at=message.partition, expected=expected, is_at=message.offset
            )
        self._next[message.partition] = message.offset + 1

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
