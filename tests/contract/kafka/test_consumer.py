import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from adapters.shared.consumer import ConsumerRuntime, Message, Patience
from adapters.shared.kafka import KafkaProducer, LogUnavailable
from adapters.shared.topics import PARTITIONS, dead_letters_of, ensure_topics
from domain.shared.errors import Unavailable
from domain.shared.events import EventEnvelope
from tests.contract.kafka.conftest import consuming, until

Envelope = Callable[..., EventEnvelope]
QUICK = Patience(first_pause=timedelta(milliseconds=1), longest_pause=timedelta(milliseconds=5), doubt=timedelta())


class Keeper:
    """A handler that counts how often each event came."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    async def __call__(self, batch: Sequence[Message]) -> None:
        self.seen.update(each.event_id for each in batch)


async def test_what_was_committed_does_not_come_again(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    first, second = Keeper(), Keeper()
    events = [envelope(f"l{number}") for number in range(100)]
    await producer.send(events)
    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], first, producer)):
        await until(lambda: len(first.seen) == 100)
    later = envelope("late")
    await producer.send([later])
    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], second, producer)):
        await until(lambda: later.id in second.seen)
    assert set(second.seen) == {later.id}


async def test_a_batch_that_was_not_finished_comes_again(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    await producer.send([envelope(f"l{number}") for number in range(20)])
    entered = asyncio.Event()

    async def hang(batch: Sequence[Message]) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], hang, producer)):
        await entered.wait()
    keeper = Keeper()
    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], keeper, producer)):
        await until(lambda: len(keeper.seen) == 20)


async def test_poison_goes_to_the_dead_letters_and_its_neighbours_through(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    events = [envelope(f"l{number}", b"poison" if number in (5, 41) else b"good") for number in range(60)]
    poisonous = {each.id for each in events if each.payload == b"poison"}
    keeper, letters = Keeper(), Keeper()

    async def handler(batch: Sequence[Message]) -> None:
        if any(each.value == b"poison" for each in batch):
            raise ValueError("poison")
        await keeper(batch)

    await producer.send(events)
    async with (
        consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], handler, producer, patience=QUICK)),
        consuming(ConsumerRuntime(kafka_bootstrap, f"{topic}.reader", [dead_letters_of(topic)], letters, producer)),
    ):
        await until(lambda: len(keeper.seen) == 58 and len(letters.seen) == 2)
    assert set(letters.seen) == poisonous
    assert set(keeper.seen.values()) == {1}


async def test_an_outage_delays_but_loses_nothing(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    keeper, outages = Keeper(), iter(range(12))

    async def handler(batch: Sequence[Message]) -> None:
        if next(outages, None) is not None:
            raise Unavailable("the database is away")
        await keeper(batch)

    await producer.send([envelope(f"l{number}") for number in range(10)])
    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], handler, producer, patience=QUICK)):
        await until(lambda: len(keeper.seen) == 10)
    assert set(keeper.seen.values()) == {1}


async def test_two_members_share_the_work_and_one_takes_over_when_the_other_leaves(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    first, second = Keeper(), Keeper()
    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], first, producer)):
        async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], second, producer)):

            async def both_work() -> bool:
                await producer.send([envelope(f"l{number}") for number in range(40)])
                return bool(first.seen and second.seen)

            await until(both_work)
        mark = [envelope(f"l{number}") for number in range(40)]
        await producer.send(mark)
        await until(lambda: {each.id for each in mark} <= first.seen.keys())


async def test_a_consumer_is_ready_only_while_it_belongs_to_its_group(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    runtime = ConsumerRuntime(kafka_bootstrap, topic, [topic], Keeper(), producer)
    with pytest.raises(LogUnavailable):
        await runtime.ready()
    async with consuming(runtime):
        await runtime.ready()
    with pytest.raises(LogUnavailable):
        await runtime.ready()


async def test_poison_first_in_every_partition_does_not_block_it(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    keeper = Keeper()

    async def handler(batch: Sequence[Message]) -> None:
        if any(each.offset == 0 for each in batch):
            raise ValueError("poison")
        await keeper(batch)

    events = [envelope(f"l{number}") for number in range(50)]
    await producer.send(events)
    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], handler, producer, patience=QUICK)):
        await until(lambda: len(keeper.seen) == 50 - PARTITIONS)
    assert set(keeper.seen.values()) == {1}


async def test_a_member_stays_in_its_group_through_a_long_outage(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    """Longer than the session's timeout, with the partitions paused meanwhile."""
    await ensure_topics(kafka_bootstrap, [topic])
    keeper, back = Keeper(), asyncio.Event()

    async def handler(batch: Sequence[Message]) -> None:
        if not back.is_set():
            raise Unavailable("the database is away")
        await keeper(batch)

    await producer.send([envelope(f"l{number}") for number in range(10)])
    runtime = ConsumerRuntime(kafka_bootstrap, topic, [topic], handler, producer, patience=QUICK)
    async with consuming(runtime):
        for _ in range(8):
            await asyncio.sleep(1)
            await runtime.ready()
        back.set()
        await producer.send([envelope(f"later-{number}") for number in range(10)])
        await until(lambda: len(keeper.seen) == 20)
    assert set(keeper.seen.values()) == {1}


async def test_a_rebalance_in_the_middle_of_a_batch_lets_nobody_do_work_twice(
    kafka_bootstrap: str, producer: KafkaProducer, topic: str, envelope: Envelope
) -> None:
    """The first member works slowly, one message at a time, and is asked for half of its partitions meanwhile."""
    await ensure_topics(kafka_bootstrap, [topic])
    keeper = Keeper()

    async def handler(batch: Sequence[Message]) -> None:
        if len(batch) > 1:
            raise ValueError("one at a time, please")
        await asyncio.sleep(0.05)
        await keeper(batch)

    await producer.send([envelope(f"l{number}") for number in range(200)])
    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], handler, producer, patience=QUICK)):
        await until(lambda: len(keeper.seen) > 10)
        async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], handler, producer, patience=QUICK)):
            assert len(keeper.seen) < 200, "it joined while the batch was on its way"
            await until(lambda: len(keeper.seen) == 200)
    assert set(keeper.seen.values()) == {1}
