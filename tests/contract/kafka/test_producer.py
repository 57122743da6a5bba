import asyncio
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import pytest

from adapters.shared.consumer import ConsumerRuntime, Message
from adapters.shared.kafka import KafkaProducer, LogUnavailable
from adapters.shared.topics import PARTITIONS, TOPICS, dead_letters_of, ensure_topics
from domain.shared.events import EventEnvelope
from tests.contract.kafka.conftest import MortalBroker, consuming, until
from tests.stores import free_port

Envelope = Callable[..., EventEnvelope]


async def test_what_was_sent_is_in_the_log_with_its_headers(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    event = envelope("ada", b"\x00\xff", traceparent)
    found: list[Message] = []

    async def keep(batch: list[Message]) -> None:
        found.extend(batch)

    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], keep, producer)):
        await producer.send([event])
        await until(lambda: found)
    assert (found[0].key, found[0].value) == ("north/learners/ada", b"\x00\xff")
    assert found[0].headers == {
        "ce_id": event.id,
        "ce_time": "2026-09-01T08:00:00.250000Z",
        "ce_type": "paideia.ingestion.v1.LearningEvent",
        "ce_source": "ingestion",
        "ce_organization": "north",
        "content-type": "application/protobuf",
        "traceparent": traceparent,
    }
    assert (found[0].organization, found[0].event_id, found[0].traceparent) == ("north", event.id, traceparent)


async def test_each_learners_events_keep_their_order_among_concurrent_batches(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    order: dict[str, list[int]] = {}
    count = 0

    async def keep(batch: list[Message]) -> None:
        nonlocal count
        for each in batch:
            order.setdefault(each.key, []).append(int(each.value))
        count += len(batch)

    batches = [[envelope(f"l{number % 7}", b"%d" % (batch * 3_000 + number)) for number in range(3_000)] for batch in range(4)]
    await asyncio.gather(*(producer.send(batch) for batch in batches))
    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], keep, producer)):
        await until(lambda: count >= 12_000)
    assert len(order) == 7
    assert all(numbers == sorted(numbers) for numbers in order.values())


async def test_with_the_broker_away_it_raises_and_then_fails_fast(envelope: Envelope) -> None:
    producer = KafkaProducer(
        f"127.0.0.1:{free_port()}", delivery_timeout=timedelta(seconds=1), pause_after_failure=timedelta(minutes=5)
    )
    with pytest.raises(LogUnavailable):
        await producer.send([envelope()])
    began = monotonic()
    with pytest.raises(LogUnavailable) as refusal:
        await producer.send([envelope()])
    assert monotonic() - began < 0.5, "an open circuit does not wait for the delivery timeout"
    assert refusal.value.retry_after > timedelta()
    with pytest.raises(LogUnavailable):
        await producer.ready()
    await producer.close()


async def test_a_batch_of_nothing_is_sent_at_once(producer: KafkaProducer) -> None:
    await producer.send([])


async def test_a_producer_of_an_answering_broker_is_ready(producer: KafkaProducer) -> None:
    await producer.ready()


async def test_a_message_that_the_broker_can_never_take_is_refused_and_costs_no_other(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    with pytest.raises(LogUnavailable):
        await producer.send([envelope(payload=b"x" * 2_000_000)])
    await producer.send([envelope()])


async def test_topics_are_created_once_with_their_dead_letters(kafka_bootstrap: str, producer: KafkaProducer) -> None:
    await ensure_topics(kafka_bootstrap)
    await ensure_topics(kafka_bootstrap)
    found = producer._client.list_topics(timeout=10).topics
    assert {each for topic in TOPICS for each in (topic, dead_letters_of(topic))} <= set(found)
    assert len(found["user.attempts"].partitions) == PARTITIONS
    assert len(found["user.attempts.dlq"].partitions) == 1


async def test_everything_acknowledged_survives_the_brokers_violent_death(
    mortal_broker: MortalBroker, topic: str, envelope: Envelope
) -> None:
    """Clients send and repeat what was not acknowledged, a consumer counts, and the broker is killed twice meanwhile."""
    await mortal_broker.start()
    address = mortal_broker.part.address
    await ensure_topics(address, [topic])
    producer = KafkaProducer(address, delivery_timeout=timedelta(seconds=5))
    acknowledged: set[str] = set()
    counted: set[str] = set()

    async def count(batch: list[Message]) -> None:
        counted.update(each.event_id for each in batch)

    async def send_all() -> None:
        for number in range(60):
            batch = [envelope(f"l{number}") for _ in range(50)]
            while True:
                try:
                    await producer.send(batch)
                    break
                except LogUnavailable as error:
                    await asyncio.sleep(error.retry_after.total_seconds())
            acknowledged.update(each.id for each in batch)

    async with consuming(ConsumerRuntime(address, topic, [topic], count, producer)):
        sending = asyncio.create_task(send_all())
        for threshold in (500, 1_500):
            await until(lambda: len(acknowledged) >= threshold)  # noqa: B023  # awaited before the loop goes on
            mortal_broker.kill()
            await asyncio.sleep(0.5)
            await mortal_broker.start()
        await sending
        await until(lambda: len(counted) >= len(acknowledged))
    assert len(acknowledged) == 3_000
    assert acknowledged <= counted
    await producer.close()
