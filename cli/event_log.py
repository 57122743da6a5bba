"""The log of events as an operator sees it: what its topics hold, and the dead letters."""

import importlib
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupState, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from google.protobuf import descriptor_pool, json_format, message_factory

DEAD_LETTERS = ".dlq"
_REPLAY_GROUP = "paideia-dlq"
_SECONDS = 10.0
# The end that a broker tells may lag behind what it has acknowledged, so reading ends with silence.
_SILENCE_SECONDS = 1.0
_MOMENT_SECONDS = 3.0
_BATCH = 500


class LogFailed(Exception):
    """The log did not do as asked; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message. `sent_at` is the producer's clock."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]
    sent_at: datetime

    def content(self) -> dict[str, Any] | str:
        """Returns the event in proto JSON, or its bytes in hexadecimal digits if nobody here knows its type."""
        name = self.headers.get("ce_type", "")
        try:
            importlib.import_module(f"{name.rpartition('.')[0]}.events_pb2")
            kind = descriptor_pool.Default().FindMessageTypeByName(name)
            return json_format.MessageToDict(message_factory.GetMessageClass(kind).FromString(self.value))
        except Exception:  # a foreign or broken message is still to be shown
            return self.value.hex()

    def as_json(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "key": self.key,
            "sent_at": self.sent_at.isoformat(),
            "headers": dict(self.headers),
            "event": self.content(),
        }


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a consumer group is behind on one partition: it has handled what is before `handled`; `end` is after the newest message.

    `waits_since` is when the oldest unhandled message was sent, None when there is none, or it could not be read in time.
    """

    group: str
    topic: str
    partition: int
    handled: int
    end: int
    waits_since: datetime | None

    @property
    def messages(self) -> int:
        return max(0, self.end - self.handled)


def dead_letters_of(topic: str) -> str:
    """Returns the dead-letter topic of a topic; that of a dead-letter topic is itself."""
    return topic if topic.endswith(DEAD_LETTERS) else f"{topic}{DEAD_LETTERS}"


class EventLog:
    """A client of the broker. Every method raises LogFailed when the broker is away or there is no such topic."""

    def __init__(self, bootstrap: str) -> None:
        self._settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "socket.connection.setup.timeout.ms": 3_000,
            "error_cb": lambda error: None,
            "log_level": 0,
        }
        self._admin = AdminClient(self._settings)
        self._consumer = Consumer(
            self._settings
            | {
                "group.id": _REPLAY_GROUP,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_uncommitted",
                "fetch.wait.max.ms": 100,
            }
        )

    def close(self) -> None:
        self._consumer.close()

    def topics(self) -> dict[str, int]:
        """Returns the number of partitions of every topic."""
        with _told("the broker does not answer"):
            found = self._consumer.list_topics(timeout=_SECONDS).topics
        return {name: len(each.partitions) for name, each in sorted(found.items()) if not name.startswith("__")}

    def extent(self, topic: str) -> list[tuple[int, int]]:
        """Returns the first offset and the one after the last, of every partition. The end may lag on some brokers."""
        partitions = self.topics().get(topic)
        if partitions is None:
            raise LogFailed(f"there is no topic {topic}")
        with _told(f"the extent of {topic} cannot be read"):
            return [
                self._consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=_SECONDS, cached=False)
                for each in range(partitions)
            ]

    def groups(self) -> list[str]:
        """Returns the names of the consumer groups."""
        with _told("the consumer groups cannot be listed"):
            found = self._admin.list_consumer_groups(request_timeout=_SECONDS).result(_SECONDS)
        return sorted(each.group_id for each in found.valid if each.group_id != _REPLAY_GROUP)

    def is_working(self, group: str) -> bool:
        """Returns whether the group has members at the moment."""
        with _told(f"the group {group} cannot be looked at"):
            described = self._admin.describe_consumer_groups([group], request_timeout=_SECONDS)[group].result(_SECONDS)
        return described.state not in (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD, ConsumerGroupState.UNKNOWN)

    def lags(self, groups: Iterable[str], topics: Iterable[str]) -> list[Lag]:
        """Returns how far each group is behind, for every partition of the topics of which it has handled something."""
        ends = self._ends({topic: self.extent(topic) for topic in topics})
        return [each for group in groups for each in self._lags(group, ends)] if ends else []

    def _lags(self, group: str, ends: Mapping[tuple[str, int], int]) -> list[Lag]:
        places = [TopicPartition(*at) for at in ends]
        with self._as_member_of(group) as member, _told(f"what {group} has handled cannot be read"):
            handled = {(at.topic, at.partition): at.offset for at in member.committed(places, timeout=_SECONDS) if at.offset >= 0}
        first = self._first([TopicPartition(*at, offset) for at, offset in handled.items() if offset < ends[at]])
        return [
            Lag(group, *at, offset, max(offset, ends[at]), first[at].sent_at if at in first else None)
            for at, offset in handled.items()
        ]

    def _first(self, places: list[TopicPartition]) -> dict[tuple[str, int], Entry]:
        """Returns the first message at or after each place; none where there is none."""
        found: dict[tuple[str, int], Entry] = {}
        if places:
            for each in self._read(places, follow=False, seconds=_SECONDS):
                found.setdefault((each.topic, each.partition), each)
                if len(found) == len(places):
                    break
        return found

    def places_at(self, topic: str, moment: datetime | None) -> list[tuple[int, int]]:
        """Returns, of each partition, the offset of the first message sent at or after a moment, and the one after the last message.

        Without a moment, the first offset there is.
        """
        extent = self.extent(topic)
        ends = list(self._ends({topic: extent}).values())
        if moment is None:
            return [(low, end) for (low, _), end in zip(extent, ends, strict=True)]
        milliseconds = int(moment.timestamp() * 1000)
        with _told(f"the place of a moment in {topic} cannot be found"):
            found = self._consumer.offsets_for_times(
                [TopicPartition(topic, each, milliseconds) for each in range(len(extent))], timeout=_SECONDS
            )
        return [
            (each.offset if self._is_since(topic, each, moment, end) else end, end) for each, end in zip(found, ends, strict=True)
        ]

    def move(self, group: str, topic: str, offsets: list[int]) -> None:
        """Has the group go on from these offsets, one for each partition. Raises LogFailed while the group is working."""
        places = [TopicPartition(topic, partition, offset) for partition, offset in enumerate(offsets)]
        with self._as_member_of(group) as member, _told(f"the group {group} cannot be moved; it must not be working"):
            member.commit(offsets=places, asynchronous=False)

    def _ends(self, extents: Mapping[str, list[tuple[int, int]]]) -> dict[tuple[str, int], int]:
        """Returns the offset after the last message of each partition of topics, found by reading: the end that is told may lag by a batch.
        Where more comes all the time, the end is where it was a moment ago."""
        told = {(topic, at): each for topic, partitions in extents.items() for at, each in enumerate(partitions)}
        ends = {place: high for place, (_, high) in told.items()}
        places = [TopicPartition(*place, max(low, high - 1)) for place, (low, high) in told.items()]
        for each in self._read(places, follow=False, seconds=_MOMENT_SECONDS):
            place = each.topic, each.partition
            ends[place] = max(ends[place], each.offset + 1)
        return ends

    def _is_since(self, topic: str, place: TopicPartition, moment: datetime, end: int) -> bool:
        # Some brokers answer offset 0 when there is no such message.
        if not 0 <= place.offset < end:
            return False
        first = next(self._read([TopicPartition(topic, place.partition, place.offset)], follow=False), None)
        return first is not None and first.sent_at >= moment

    @contextmanager
    def _as_member_of(self, group: str) -> Iterator[Consumer]:
        """Yields a client that asks and commits in the group's name without joining it."""
        consumer = Consumer(self._settings | {"group.id": group, "enable.auto.commit": False})
        try:
            yield consumer
        finally:
            consumer.close()

    def read(self, *topics: str, last: int | None = None, follow: bool = False) -> Iterator[Entry]:
        """Yields the messages of topics, each partition in order: all, or from about the `last` ones of each partition on."""
        places = [
            TopicPartition(topic, partition, low if last is None else max(low, high - last))
            for topic in topics
            for partition, (low, high) in enumerate(self.extent(topic))
        ]
        return self._read(places, follow)

    def entry(self, topic: str, offset: int) -> Entry:
        """Returns one message of a topic's first partition."""
        self.extent(topic)
        for found in self._read([TopicPartition(topic, 0, offset)], follow=False):
            if found.offset == offset:
                return found
            break
        raise LogFailed(f"there is no message {offset} in {topic}")

    def replayed_up_to(self, topic: str) -> int:
        """Returns the offset of the first dead letter that was not replayed with all others."""
        with _told(f"what was replayed of {topic} cannot be read"):
            offset: int = self._consumer.committed([TopicPartition(topic, 0)], timeout=_SECONDS)[0].offset
        return max(0, offset)

    def replay(self, letters: Iterable[Entry]) -> int:
        """Sends dead letters to where they came from, as they were, and returns how many. Consumers count an event once."""
        failures: list[KafkaError] = []
        producer = Producer(self._settings | {"acks": "all", "message.timeout.ms": int(_SECONDS * 1000)})
        count = 0
        for letter in letters:
            headers: list[tuple[str, str | bytes | None]] = [
                (name, value) for name, value in letter.headers.items() if not name.startswith("dlq_")
            ]
            producer.produce(
                letter.headers.get("dlq_topic") or letter.topic.removesuffix(DEAD_LETTERS),
                letter.value,
                letter.key,
                headers=headers,
                on_delivery=lambda error, message: failures.append(error) if error else None,
            )
            count += 1
        producer.flush(_SECONDS)
        if failures or len(producer):
            raise LogFailed(f"not all were replayed: {failures[0].str() if failures else 'the broker does not answer'}")
        return count

    def mark_replayed(self, topic: str, offset: int) -> None:
        """Remembers that every dead letter before `offset` was replayed."""
        with _told("the broker did not remember what was replayed; replaying again is harmless"):
            self._consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)

    def _read(self, places: list[TopicPartition], follow: bool, seconds: float = math.inf) -> Iterator[Entry]:
        """Yields what there is, for so many seconds at most, until nothing has come for a while, or without an end."""
        self._consumer.assign(places)
        try:
            began = heard = time.monotonic()
            # The first messages may take as long as the connection does.
            patience = _SILENCE_SECONDS * 2
            while follow or (time.monotonic() - heard < patience and time.monotonic() - began < seconds):
                for message in self._consumer.consume(_BATCH, 0.2):
                    if (error := message.error()) is not None:
                        if error.retriable() or error.code() == KafkaError._PARTITION_EOF:
                            continue
                        raise LogFailed(error.str())
                    heard, patience = time.monotonic(), _SILENCE_SECONDS
                    yield _entry(message)
        finally:
            self._consumer.unassign()


def _entry(message: Message) -> Entry:
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Entry(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=(message.key() or b"").decode(errors="replace"),
        value=message.value() or b"",
        headers={name: value.decode(errors="replace") if isinstance(value, bytes) else value or "" for name, value in pairs},
        sent_at=datetime.fromtimestamp(max(0, message.timestamp()[1]) / 1000, UTC),
    )


class _told:  # noqa: N801  # reads as a word of the sentence it stands in
    """Turns the client's errors into ours."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise LogFailed(f"{self._what}: the broker does not answer") from error
        if isinstance(error, KafkaException):
            raise LogFailed(f"{self._what}: {error.args[0].str() if error.args else error}") from error
