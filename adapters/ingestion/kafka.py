"""The event log in Kafka: one topic for attempts, one for sessions, one for the rest."""

from collections import defaultdict
from collections.abc import Sequence

from aiokafka.partitioner import murmur2  # type: ignore[import-untyped]
from paideia.ingestion.v1.events_pb2 import LearningEvent

from adapters.ingestion.kafka_entry import ATTEMPTS, OTHERS, SESSIONS, Entry
from adapters.shared.kafka import event_headers
from adapters.shared.record_batch import LENGTHS, header, sized, varint
from adapters.shared.round_producer import Lane, RoundProducer
from domain.ingestion.ports import EventLog
from domain.shared.trace import current_traceparent

TYPE = LearningEvent.DESCRIPTOR.full_name
TOPICS = (ATTEMPTS, SESSIONS, OTHERS)

_KEYS_REMEMBERED = 65_536


class KafkaEventLog(EventLog[Entry]):
    """An event's value is its own encoding, its key its learner's name."""

    def __init__(self, producer: RoundProducer) -> None:
        self._producer = producer
        self._keys = _Keys()

    async def append(self, organization: str, entries: Sequence[Entry]) -> None:
        partitions = await self._producer.partitions(TOPICS)
        id_header, time_header, shared = _headers(organization, current_traceparent.get())
        keys, prefix = self._keys, f"{organization}/"
        lanes: dict[Lane, list[bytes]] = defaultdict(list)
        for id, learner, topic, time, encoding in entries:
            hashed, key = keys[prefix + learner]
            lanes[topic, hashed % partitions[topic]].append(
                b"".join((key, LENGTHS[len(encoding)], encoding, id_header, id.encode(), time_header, time.encode(), shared))
            )
        await self._producer.send(lanes)


class _Keys(dict[str, tuple[int, bytes]]):
    """The hash of each key, by which the clients of Kafka choose its partition, and the key as a record has it. Remembers the last ones."""

    def __missing__(self, key: str) -> tuple[int, bytes]:
        if len(self) >= _KEYS_REMEMBERED:
            self.clear()
        encoded = key.encode()
        self[key] = found = murmur2(encoded) & 0x7FFFFFFF, sized(encoded)
        return found


def _headers(organization: str, traceparent: str) -> tuple[bytes, bytes, bytes]:
    """Returns the headers of a record up to the id, from there to the time, and after it: ids and times have the same length everywhere."""
    id, time = "0" * 36, "2000-01-01T00:00:00.000000000Z"
    (_, _), (_, _), *shared = headers = event_headers(id, time, TYPE, "ingestion", organization, traceparent)
    before = varint(len(headers)) + header("ce_id", id).removesuffix(id.encode())
    between = header("ce_time", time).removesuffix(time.encode())
    return before, between, b"".join(header(name, str(value)) for name, value in shared)
