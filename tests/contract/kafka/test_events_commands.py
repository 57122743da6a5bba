"""`paideia events` against a real broker."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from paideia.ingestion.v1.events_pb2 import LearningEvent
from typer.testing import CliRunner

from adapters.shared.consumer import ConsumerRuntime, Message, dead_letter_of
from adapters.shared.kafka import KafkaProducer, record_of
from adapters.shared.topics import PARTITIONS, ensure_topics
from cli.main import build
from domain.shared.events import EventEnvelope
from tests.contract.kafka.conftest import consuming, until

Run = Callable[..., Any]


@pytest.fixture
def run(kafka_bootstrap: str) -> Run:
    def call(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(build(), ["events", *words, "--json", "--bootstrap", kafka_bootstrap])
        assert result.exit_code == code, result.output
        lines = result.stdout.splitlines()
        return [json.loads(line) for line in lines] if words[0] == "tail" else json.loads(result.stdout)

    return call


def event(topic: str, learner: str) -> EventEnvelope:
    id = str(uuid4())
    payload = LearningEvent(id=id, learner=f"learners/{learner}").SerializeToString()
    return EventEnvelope(
        id, "paideia.ingestion.v1.LearningEvent", topic, "north", f"learners/{learner}", datetime.now(UTC), payload
    )


@pytest.fixture
async def dead(kafka_bootstrap: str, producer: KafkaProducer, topic: str) -> list[EventEnvelope]:
    """Two dead letters of a topic that itself is empty."""
    await ensure_topics(kafka_bootstrap, [topic])
    events = [event(topic, "ada"), event(topic, "bob")]
    for offset, each in enumerate(events):
        _, key, value, headers = record_of(each)
        texts = {name: str(text) for name, text in headers}
        message = Message(topic, 2, offset, key, value, texts)
        await producer.send_records([dead_letter_of(message, "progress", 5, ValueError("cannot read it"))])
    return events


async def test_topics_are_listed(run: Run, kafka_bootstrap: str, topic: str) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    found = {each["topic"]: each["partitions"] for each in run("topics")["topics"]}
    assert (found[topic], found[f"{topic}.dlq"]) == (PARTITIONS, 1)


async def test_the_newest_events_are_shown_decoded(run: Run, kafka_bootstrap: str, producer: KafkaProducer, topic: str) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    events = [event(topic, f"l{number}") for number in range(5)]
    for each in events:
        await producer.send([each])
    shown = run("tail", topic, "-n", "3")
    assert [each["event"]["id"] for each in shown] == [each.id for each in events[2:]]
    assert shown[0]["key"] == "north/learners/l2"


async def test_a_dead_letter_is_listed_shown_replayed_once_and_then_marked(
    run: Run, dead: list[EventEnvelope], topic: str
) -> None:
    listed = run("dlq", "list", topic)["dead_letters"]
    assert [(each["event"], each["consumer"], each["error"], each["replayed"]) for each in listed] == [
        (each.id, "progress", "ValueError: cannot read it", False) for each in dead
    ]
    shown = run("dlq", "show", topic, "1")
    assert shown["event"] == {"id": dead[1].id, "learner": "learners/bob"}
    assert shown["headers"]["dlq_partition"] == "2"

    assert run("dlq", "replay", topic, "--all") == {"replayed": 2}
    assert run("dlq", "replay", topic, "--all") == {"replayed": 0}
    assert [each["replayed"] for each in run("dlq", "list", topic)["dead_letters"]] == [True, True]
    back = {each["event"]["id"]: each for each in run("tail", topic)}
    assert back.keys() == {each.id for each in dead}
    assert back[dead[0].id]["key"] == "north/learners/ada"
    assert not any(name.startswith("dlq_") for name in back[dead[0].id]["headers"])


async def test_one_dead_letter_is_replayed_by_its_offset(run: Run, dead: list[EventEnvelope], topic: str) -> None:
    assert run("dlq", "replay", topic, "--offset", "1") == {"replayed": 1}
    assert [each["event"]["id"] for each in run("tail", topic)] == [dead[1].id]


async def counted(kafka_bootstrap: str, producer: KafkaProducer, topic: str, number: int) -> list[str]:
    """Has a group of the topic's name handle so many events, and leave; returns the ids of what it saw."""
    seen: list[str] = []

    async def handler(batch: Sequence[Message]) -> None:
        seen.extend(each.event_id for each in batch)

    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], handler, producer)):
        await until(lambda: len(seen) >= number)
    return seen


async def test_the_lag_of_a_group_is_what_it_has_not_handled(
    run: Run, kafka_bootstrap: str, producer: KafkaProducer, topic: str
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    await producer.send([event(topic, f"l{number}") for number in range(20)])
    await counted(kafka_bootstrap, producer, topic, 20)
    found = run("lag", topic)["lags"]
    assert (sum(each["handled"] for each in found), sum(each["lag"] for each in found)) == (20, 0)
    await producer.send([event(topic, f"l{number}") for number in range(7)])
    found = run("lag", topic)["lags"]
    assert (sum(each["handled"] for each in found), sum(each["lag"] for each in found)) == (20, 7)
    assert all(bool(each["waits_since"]) == bool(each["lag"]) for each in found)
    assert not any(each["working"] for each in found)


async def test_the_lag_is_told_while_more_comes_all_the_time(
    run: Run, kafka_bootstrap: str, producer: KafkaProducer, topic: str
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    await producer.send([event(topic, f"l{number}") for number in range(20)])
    await counted(kafka_bootstrap, producer, topic, 20)
    await producer.send([event(topic, f"l{number}") for number in range(2_000)])

    async def keep_sending() -> None:
        while True:
            await producer.send([event(topic, f"l{number}") for number in range(10)])
            await asyncio.sleep(0.1)

    sending = asyncio.create_task(keep_sending())
    try:
        found = (await asyncio.wait_for(asyncio.to_thread(run, "lag", topic), 60))["lags"]
    finally:
        sending.cancel()
    assert sum(each["handled"] for each in found) == 20
    assert sum(each["lag"] for each in found) >= 2_000
    assert all(each["waits_since"] for each in found)


async def test_a_group_handles_again_what_was_sent_since_a_moment(
    run: Run, kafka_bootstrap: str, producer: KafkaProducer, topic: str
) -> None:
    await ensure_topics(kafka_bootstrap, [topic])
    early = [event(topic, f"l{number}") for number in range(20)]
    await producer.send(early)
    await asyncio.sleep(0.05)
    moment = datetime.now(UTC).isoformat()
    await asyncio.sleep(0.05)
    late = [event(topic, f"l{number}") for number in range(10)]
    await producer.send(late)
    await counted(kafka_bootstrap, producer, topic, 30)

    dry = run("replay", topic, "--group", topic, "--from", moment, "--dry-run")
    assert (dry["events"], dry["moved"]) == (10, False)
    assert run("replay", topic, "--group", topic, "--from", moment)["events"] == 10
    assert sorted(await counted(kafka_bootstrap, producer, topic, 10)) == sorted(each.id for each in late)
    assert run("replay", topic, "--group", topic, "--from", datetime.now(UTC).isoformat())["events"] == 0
    assert run("replay", topic, "--group", topic, "--from", "beginning")["events"] == 30
    assert sorted(await counted(kafka_bootstrap, producer, topic, 30)) == sorted(each.id for each in [*early, *late])


async def test_a_group_that_is_working_is_not_moved(run: Run, kafka_bootstrap: str, producer: KafkaProducer, topic: str) -> None:
    async def handler(batch: Sequence[Message]) -> None:
        return None

    async with consuming(ConsumerRuntime(kafka_bootstrap, topic, [topic], handler, producer)):
        refused = await asyncio.to_thread(run, "replay", topic, "--group", topic, "--from", "beginning", code=1)
    assert "stop its processes" in refused["error"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("lag", "nobody.of.this.name"), 1),
        (("replay", "nothing.here", "--group", "g", "--from", "beginning"), 1),
        (("replay", "user.attempts", "--group", "g", "--from", "yesterday"), 2),
        (("replay", "user.attempts", "--group", "g", "--from", "2999-01-01T00:00:00Z"), 2),
        (("dlq", "show", "nothing.here", "0"), 1),
        (("dlq", "replay", "user.attempts"), 2),
        (("dlq", "replay", "user.attempts", "--all", "--offset", "1"), 2),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, words: tuple[str, ...], code: int) -> None:
    assert run(*words, code=code)["error"]


def test_an_absent_broker_is_said_so() -> None:
    result = CliRunner().invoke(build(), ["events", "topics", "--json", "--bootstrap", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert "broker" in json.loads(result.stdout)["error"]
