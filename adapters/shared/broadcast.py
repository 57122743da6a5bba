"""Reading a topic in every process: no group, no offsets kept, everything since a moment ago and whatever comes."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import confluent_kafka
import structlog
from confluent_kafka import KafkaException, TopicPartition

from adapters.shared.kafka import NOTICE_SILENCE, BrokerTrouble
from adapters.shared.topics import ensure_topics
from domain.shared.clock import Clock
from domain.shared.errors import Unavailable

log = structlog.get_logger()

Heard = Callable[[str, bytes], None]
"""Takes a message's type (`ce_type`) and value. What it raises is logged, and the message is passed over."""

_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 10.0
_START_AGAIN_SECONDS = 1.0
_BATCH = 500


class Broadcast:
    """Hears every message of a topic. `run` it as a job; a message may come more than once, and after a crash of the broker again."""

    def __init__(self, bootstrap: str, topic: str, since: timedelta, heard: Heard, clock: Clock) -> None:
        """`since` is how far back it begins: what is older means nothing any more."""
        self._bootstrap = bootstrap
        self._topic = topic
        self._since = since
        self._heard = heard
        self._clock = clock

    async def run(self) -> None:
        """Reads until cancelled; outlives the broker."""
        while True:
            try:
                await ensure_topics(self._bootstrap, (self._topic,))
                await self._read()
            except (KafkaException, Unavailable, OSError) as error:
                log.warning("a broadcast is not heard at present", topic=self._topic, error=str(error))
            await asyncio.sleep(_START_AGAIN_SECONDS)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        # In this order: the thread has let go of the consumer when that is closed.
        with contextlib.closing(self._consumer()) as consumer, ThreadPoolExecutor(1, f"broadcast-{self._topic}") as thread:
            await loop.run_in_executor(thread, self._assign, consumer)
            while True:
                for message in await loop.run_in_executor(thread, _come, consumer):
                    self._take(message)

    def _consumer(self) -> confluent_kafka.Consumer:
        return confluent_kafka.Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": f"broadcast-{self._topic}",  # the client wants one; nobody joins it
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                # Every process reads every broadcast: asked more often, the broker would be busy with nothing.
                "fetch.wait.max.ms": 500,
                "fetch.error.backoff.ms": 200,
                "reconnect.backoff.ms": 100,
                "reconnect.backoff.max.ms": 1_000,
                **NOTICE_SILENCE,
                "log_level": 2,
                "error_cb": BrokerTrouble(f"broadcast-{self._topic}"),
            },
            logger=log,
        )

    def _assign(self, consumer: confluent_kafka.Consumer) -> None:
        start = int((self._clock() - self._since).timestamp() * 1000)
        known = consumer.list_topics(self._topic, _ANSWER_SECONDS).topics[self._topic]
        consumer.assign(_starts(consumer, [TopicPartition(self._topic, each, start) for each in known.partitions]))

    def _take(self, message: confluent_kafka.Message) -> None:
        if (error := message.error()) is not None:
            if error.fatal():
                raise KafkaException(error)
            return
        try:
            self._heard(_type(message), message.value() or b"")
        except Exception:
            log.exception("a message of a broadcast makes no sense", topic=self._topic, offset=message.offset())


def _come(consumer: confluent_kafka.Consumer) -> list[confluent_kafka.Message]:
    """Waits a little for a message and returns it with those that have come already: `consume` alone would wait for a whole batch."""
    first = consumer.poll(_POLL_SECONDS)
    return [] if first is None else [first, *consumer.consume(_BATCH, 0)]


def _starts(consumer: confluent_kafka.Consumer, moments: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Where each partition's messages since its moment begin; from the first message on where the broker cannot tell."""
    try:
        found = consumer.offsets_for_times(list(moments), _ANSWER_SECONDS)
    except KafkaException:
        found = []
    told = {each.partition: each.offset for each in found if each.error is None}
    return [
        TopicPartition(each.topic, each.partition, told.get(each.partition, confluent_kafka.OFFSET_BEGINNING)) for each in moments
    ]


def _type(message: confluent_kafka.Message) -> str:
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    found = next((value for name, value in pairs if name == "ce_type"), b"")
    return found.decode(errors="replace") if isinstance(found, bytes) else found or ""
