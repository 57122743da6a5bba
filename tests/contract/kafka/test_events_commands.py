"""`paideia events` against a real broker."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from paideia.ingestion.v1.events_pb2 import LearningEvent
from typer.testing import CliRunner

from adapters.shared.consumer import Message, dead_letter_of
from adapters.shared.kafka import KafkaProducer, record_of
from adapters.shared.topics import PARTITIONS, ensure_topics
from cli.main import build
from domain.shared.events import EventEnvelope

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


@pytest.mark.parametrize(
    ("words", "code"),
    [
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
