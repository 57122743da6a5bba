"""The event log in Kafka: one topic for attempts, one for sessions, one for the rest."""

from collections.abc import Sequence

from aiokafka.partitioner import murmur2  # type: ignore[import-untyped]
from paideia.ingestion.v1.events_pb2 import LearningEvent

from adapters.ingestion.kafka_entry import ATTEMPTS, OTHERS, SESSIONS, Entry
from adapters.shared.kafka import event_headers
from adapters.shared.record_batch import LENGTHS, header, sized, varint
from adapters.shared.round_producer import RoundProducer
from domain.ingestion.ports import EventLog
from domain.shared.trace import current_traceparent

TYPE = LearningEvent.DESCRIPTOR.full_name
TOPICS = (ATTEMPTS, SESSIONS, OTHERS)

_KEYS_REMEMBERED = 65_536


class KafkaEventLog(EventLog[Entry]):
    """An event's value is its own encoding, its key its learner's name."""

    def __init__(self, producer: RoundProducer) -> None:
        self._producer = producer
        self._keys: dict[str, _Keys] = {}
        self._remembered = 0

    async def append(self, organization: str, entries: Sequence[Entry]) -> None:
        partitions = await self._producer.partitions(TOPICS)
        id_header, time_header, shared = _headers(organization, current_traceparent.get())
        keys = self._keys.setdefault(organization, _Keys(organization))
        known = len(keys)
        topics: dict[str, list[list[bytes]]] = {topic: [[] for _ in range(count)] for topic, count in partitions.items()}
        for id, learner, topic, time, encoding in entries:
            hashed, key = keys[learner]
            lanes = topics[topic]
            lanes[hashed % len(lanes)].append(
                b"".join((key, LENGTHS[len(encoding)], encoding, id_header, id, time_header, time, shared))
            )
        self._remembered += len(keys) - known
        if self._remembered > _KEYS_REMEMBERED:
            self._keys, self._remembered = {}, 0
        await self._producer.send({(topic, number): lane for topic, lanes in topics.items() for number, lane in enumerate(lanes)})


class _Keys(dict[str, tuple[int, bytes]]):
    """The hash of the key of each learner, by which the clients of Kafka choose its partition, and the key as a record has it."""

    def __init__(self, organization: str) -> None:
        super().__init__()
        self._organization = organization

    def __missing__(self, learner: str) -> tuple[int, bytes]:
        key = f"{self._organization}/{learner}".encode()
        self[learner] = found = murmur2(key) & 0x7FFFFFFF, sized(key)
        return found


def _headers(organization: str, traceparent: str) -> tuple[bytes, bytes, bytes]:
    """Returns the headers of a record up to the id, from there to the time, and after it: ids and times have the same length everywhere."""
    id, time = "0" * 36, "2000-01-01T00:00:00.000000000Z"
    (_, _), (_, _), *shared = headers = event_headers(id, time, TYPE, "ingestion", organization, traceparent)
    before = varint(len(headers)) + header("ce_id", id).removesuffix(id.encode())
    between = header("ce_time", time).removesuffix(time.encode())
    return before, between, b"".join(header(name, str(value)) for name, value in shared)
