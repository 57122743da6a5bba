"""The producer for masses keeps the promises of the other one, and its messages look the same."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from time import monotonic, time_ns
from uuid import uuid4

import pytest
from aiokafka.partitioner import murmur2  # type: ignore[import-untyped]
from confluent_kafka import Consumer, Message, TopicPartition

from adapters.shared.kafka import KafkaProducer, LogUnavailable
from adapters.shared.record_batch import header, sized, varint
from adapters.shared.round_producer import Lane, RoundProducer
from adapters.shared.topics import ensure_topics
from domain.shared.events import EventEnvelope
from tests.contract.kafka.conftest import MortalBroker, until
from tests.stores import free_port

Envelope = Callable[..., EventEnvelope]


def record(key: str, value: bytes) -> bytes:
    return sized(key.encode()) + sized(value) + varint(2) + header("first", "1") + header("ünïcode", "värde" * 40)


def read(bootstrap: str, topic: str, count: int, seconds: float = 30) -> list[Message]:
    """Returns the first messages of a topic, each partition's in their order."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"test-{uuid4()}", "auto.offset.reset": "earliest"})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
        found: list[Message] = []
        end = monotonic() + seconds
        while len(found) < count and monotonic() < end:
            found += [each for each in consumer.consume(1_000, 0.2) if not each.error()]
        return found
    finally:
        consumer.close()


@pytest.fixture
async def rounds(kafka_bootstrap: str, topic: str) -> AsyncIterator[RoundProducer]:
    await ensure_topics(kafka_bootstrap, [topic])
    producer = RoundProducer(kafka_bootstrap)
    yield producer
    await producer.close()


async def test_a_record_is_in_the_log_whole_and_dated(kafka_bootstrap: str, rounds: RoundProducer, topic: str) -> None:
    values = [b"", b"\x00\xff", b"v" * 300, b"w" * 60_000]
    await rounds.send({(topic, 1): [record(f"k{number}", value) for number, value in enumerate(values)]})
    found = await asyncio.to_thread(read, kafka_bootstrap, topic, len(values))
    assert [(each.key(), each.value(), each.partition()) for each in found] == [
        (b"k%d" % number, value, 1) for number, value in enumerate(values)
    ]
    assert all(each.headers() == [("first", b"1"), ("ünïcode", ("värde" * 40).encode())] for each in found)
    assert all(abs(each.timestamp()[1] - time_ns() // 1_000_000) < 60_000 for each in found)


async def test_each_partition_keeps_the_order_of_concurrent_calls_of_any_size(
    kafka_bootstrap: str, rounds: RoundProducer, topic: str
) -> None:
    sizes, number = (1, 3_000, 40, 9_000, 7), 0
    calls = []
    for size in sizes:
        lanes: dict[Lane, list[bytes]] = defaultdict(list)
        for number in range(number, number + size):  # noqa: B020  # it goes on where it was
            lanes[topic, number % 2].append(record("k", b"%d" % number + b"x" * 300))
        number += 1
        calls.append(rounds.send(lanes))
    await asyncio.gather(*calls)
    found = await asyncio.to_thread(read, kafka_bootstrap, topic, sum(sizes))
    for partition in range(2):
        numbers = [int((each.value() or b"").rstrip(b"x")) for each in found if each.partition() == partition]
        assert numbers == list(range(partition, sum(sizes), 2))


async def test_a_key_has_the_partition_that_the_other_producer_gives_it(
    kafka_bootstrap: str, rounds: RoundProducer, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    counts = await rounds.partitions([topic])
    assert counts == {topic: 2}
    await producer.send([envelope(f"l{number}") for number in range(50)])
    found = await asyncio.to_thread(read, kafka_bootstrap, topic, 50)
    assert len(found) == 50
    assert all(each.partition() == (murmur2(each.key()) & 0x7FFFFFFF) % 2 for each in found)


async def test_with_the_broker_away_it_raises_and_then_fails_fast() -> None:
    producer = RoundProducer(
        f"127.0.0.1:{free_port()}", delivery_timeout=timedelta(seconds=1), pause_after_failure=timedelta(minutes=5)
    )
    with pytest.raises(LogUnavailable):
        await producer.ready()
    with pytest.raises(LogUnavailable):
        await producer.send({("any", 0): [record("k", b"v")]})
    began = monotonic()
    for attempt in (producer.send({("any", 0): [record("k", b"v")]}), producer.partitions(["any"])):
        with pytest.raises(LogUnavailable) as refusal:
            await attempt
        assert refusal.value.retry_after > timedelta()
    assert monotonic() - began < 0.5, "an open circuit does not wait for the delivery timeout"
    await producer.close()


async def test_a_topic_that_is_not_there_is_said_so(kafka_bootstrap: str) -> None:
    producer = RoundProducer(kafka_bootstrap, delivery_timeout=timedelta(seconds=0.5))
    with pytest.raises(LogUnavailable):
        await producer.partitions([f"absent.{uuid4().hex[:8]}"])
    await producer.close()


async def test_nothing_is_sent_at_once_and_a_producer_of_an_answering_broker_is_ready(rounds: RoundProducer, topic: str) -> None:
    await rounds.ready()
    await rounds.send({})
    await rounds.send({(topic, 0): []})


async def test_a_partition_that_is_not_there_costs_no_other_call(kafka_bootstrap: str, rounds: RoundProducer, topic: str) -> None:
    impatient = RoundProducer(kafka_bootstrap, delivery_timeout=timedelta(seconds=1), pause_after_failure=timedelta())
    lost = asyncio.create_task(impatient.send({(topic, 99): [record("k", b"lost")]}))
    await impatient.send({(topic, 0): [record("k", b"kept")]})
    with pytest.raises(LogUnavailable):
        await lost
    await impatient.send({(topic, 0): [record("k", b"after")]})
    await impatient.close()
    assert {each.value() for each in await asyncio.to_thread(read, kafka_bootstrap, topic, 2)} == {b"kept", b"after"}


async def test_more_than_may_be_held_is_refused_and_what_was_held_goes_through(rounds: RoundProducer, topic: str) -> None:
    lanes = {(topic, 0): [record("k", b"v")] * 60_000}
    taken, refused = await asyncio.gather(rounds.send(lanes), rounds.send(lanes), return_exceptions=True)
    assert taken is None
    assert isinstance(refused, LogUnavailable)
    await rounds.send(lanes)


async def test_a_caller_that_gives_up_harms_nobody(kafka_bootstrap: str, rounds: RoundProducer, topic: str) -> None:
    calls = [asyncio.create_task(rounds.send({(topic, 0): [record("k", b"%d" % number)]})) for number in range(6)]
    await asyncio.sleep(0)
    calls[2].cancel()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [each for number, each in enumerate(ended) if number != 2] == [None] * 5
    found = {int(each.value() or b"") for each in await asyncio.to_thread(read, kafka_bootstrap, topic, 5)}
    assert found >= {0, 1, 3, 4, 5}


async def test_everything_acknowledged_survives_the_brokers_violent_death(mortal_broker: MortalBroker, topic: str) -> None:
    """Clients send and repeat what was not acknowledged, and the broker is killed twice meanwhile."""
    await mortal_broker.start()
    address = mortal_broker.part.address
    await ensure_topics(address, [topic])
    producer = RoundProducer(address, delivery_timeout=timedelta(seconds=5))
    acknowledged: list[int] = []

    async def send_all() -> None:
        for start in range(0, 3_000, 50):
            lanes = {
                (topic, part): [record("k", b"%d" % each) for each in range(start + part, start + 50, 2)] for part in range(2)
            }
            while True:
                try:
                    await producer.send(lanes)
                    break
                except LogUnavailable as error:
                    await asyncio.sleep(error.retry_after.total_seconds())
            acknowledged.extend(range(start, start + 50))

    sending = asyncio.create_task(send_all())
    for threshold in (500, 1_500):
        await until(lambda: len(acknowledged) >= threshold)  # noqa: B023  # awaited before the loop goes on
        mortal_broker.kill()
        await asyncio.sleep(0.5)
        await mortal_broker.start()
    await sending
    await producer.close()
    found = await asyncio.to_thread(read, address, topic, 10_000, 10)
    kept = {int(each.value() or b"") for each in found}
    assert kept == set(acknowledged) == set(range(3_000))
