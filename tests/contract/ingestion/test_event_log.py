"""The event log: the same promises in memory and in Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from paideia.ingestion.v1.events_pb2 import SESSION_PHASE_STARTED, LearningEvent

from adapters.ingestion.kafka import TYPE, KafkaEventLog
from adapters.ingestion.kafka_entry import Entry, entry_of
from adapters.ingestion.memory import MemoryEventLog
from adapters.shared.consumer import ConsumerRuntime, Message
from adapters.shared.kafka import KafkaProducer
from adapters.shared.round_producer import RoundProducer
from adapters.shared.topics import ensure_topics
from domain.ingestion.ports import EventLog

TOPICS = ("user.attempts", "user.sessions", "learning.events")


@dataclass
class Subject:
    """A log and how to look into it: the first `count` events of an organization."""

    log: EventLog[Entry]
    events: Callable[[str, int], Awaitable[list[LearningEvent]]]


@pytest.fixture
async def received(kafka_bootstrap: str) -> AsyncIterator[list[Message]]:
    """Every message of the three topics from now on, as they come."""
    await ensure_topics(kafka_bootstrap)
    producer = KafkaProducer(kafka_bootstrap)
    messages: list[Message] = []

    async def keep(batch: Sequence[Message]) -> None:
        messages.extend(batch)

    job = asyncio.create_task(ConsumerRuntime(kafka_bootstrap, f"test-{uuid4()}", TOPICS, keep, producer).run())
    yield messages
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    await producer.close()


@pytest.fixture
async def kafka_log(kafka_bootstrap: str) -> AsyncIterator[KafkaEventLog]:
    producer = RoundProducer(kafka_bootstrap)
    yield KafkaEventLog(producer)
    await producer.close()


async def those_of(received: list[Message], organization: str, count: int) -> list[Message]:
    async with asyncio.timeout(60):
        while len(found := [each for each in received if each.organization == organization]) < count:
            await asyncio.sleep(0.05)
    return found


@pytest.fixture(params=["memory", "kafka"])
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "memory":
        memory: MemoryEventLog[Entry] = MemoryEventLog()

        async def kept(organization: str, count: int) -> list[LearningEvent]:
            return [LearningEvent.FromString(each.encoding) for each in memory.events.get(organization, [])]

        return Subject(memory, kept)
    received: list[Message] = request.getfixturevalue("received")

    async def read(organization: str, count: int) -> list[LearningEvent]:
        return [LearningEvent.FromString(each.value) for each in await those_of(received, organization, count)]

    return Subject(request.getfixturevalue("kafka_log"), read)


def attempt(learner: str, sequence: int = 0) -> LearningEvent:
    event = LearningEvent(id=str(uuid4()), learner=f"learners/{learner}", client_sequence=sequence)
    event.occur_time.FromDatetime(datetime(2026, 9, 1, 8, tzinfo=UTC))
    event.attempt.item = "items/half"
    event.attempt.skills.append("skills/halves")
    return event


def session(learner: str) -> LearningEvent:
    event = attempt(learner)
    event.session.session = "s1"
    event.session.phase = SESSION_PHASE_STARTED
    return event


def hint(learner: str) -> LearningEvent:
    event = attempt(learner)
    event.hint.item = "items/half"
    event.hint.number = 1
    return event


@pytest.fixture
def organization() -> str:
    """One that no other test uses: the broker is shared."""
    return f"org-{uuid4().hex[:8]}"


async def test_what_was_appended_is_kept_as_it_was(subject: Subject, organization: str) -> None:
    events = [attempt("ada"), session("ada"), hint("bob")]
    await subject.log.append(organization, [entry_of(each) for each in events])
    kept = await subject.events(organization, 3)
    assert {each.id: each for each in kept} == {each.id: each for each in events}


async def test_a_learners_attempts_keep_their_order(subject: Subject, organization: str) -> None:
    await subject.log.append(organization, [entry_of(attempt(f"l{number % 5}", number)) for number in range(200)])
    await subject.log.append(organization, [entry_of(attempt(f"l{number % 5}", number)) for number in range(200, 400)])
    kept = await subject.events(organization, 400)
    for learner in range(5):
        sequences = [each.client_sequence for each in kept if each.learner == f"learners/l{learner}"]
        assert sequences == list(range(learner, 400, 5))


async def test_organizations_are_kept_apart(subject: Subject, organization: str) -> None:
    other = f"{organization}-other"
    mine, theirs = attempt("ada"), attempt("ada")
    await subject.log.append(organization, [entry_of(mine)])
    await subject.log.append(other, [entry_of(theirs)])
    assert [each.id for each in await subject.events(organization, 1)] == [mine.id]
    assert [each.id for each in await subject.events(other, 1)] == [theirs.id]


async def test_each_kind_of_event_has_its_topic_and_every_message_its_headers(
    kafka_log: KafkaEventLog, received: list[Message], organization: str
) -> None:
    events = {"user.attempts": attempt("ada"), "user.sessions": session("ada"), "learning.events": hint("ada")}
    await kafka_log.append(organization, [entry_of(each) for each in events.values()])
    found = {each.topic: each for each in await those_of(received, organization, 3)}
    assert {topic: each.event_id for topic, each in found.items()} == {topic: each.id for topic, each in events.items()}
    for message in found.values():
        assert message.key == f"{organization}/learners/ada"
        assert message.type == TYPE == "paideia.ingestion.v1.LearningEvent"
        assert message.headers["ce_time"] == "2026-09-01T08:00:00.000000000Z"
        assert message.headers["ce_source"] == "ingestion"
