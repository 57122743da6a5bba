from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from paideia.ingestion.v1.events_pb2 import Attempt, LearningEvent, PageView

from adapters.progress.memory import MemoryProgress
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.shared.errors import InvalidInput
from services.progress.consumers import CountAttempts

NOW = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Message:
    value: bytes
    organization: str = "north"
    traceparent: str = ""


def event(learner: str = "ada", item: str = "items/half") -> LearningEvent:
    told = LearningEvent(
        id=str(uuid4()), learner=f"learners/{learner}", attempt=Attempt(item=item, skills=["skills/add"], correct=True)
    )
    told.occur_time.FromDatetime(NOW)
    return told


def message(told: LearningEvent, organization: str = "north") -> Message:
    return Message(told.SerializeToString(), organization, f"00-{'a' * 32}-{'b' * 16}-01")


@pytest.fixture
def store() -> MemoryProgress:
    return MemoryProgress()


@pytest.fixture
def count(store: MemoryProgress) -> CountAttempts:
    return CountAttempts(RecordAttempts(store.unit, lambda: NOW))


async def test_each_organization_gets_its_own_attempts_and_redelivery_changes_nothing(
    store: MemoryProgress, count: CountAttempts
) -> None:
    batch = [message(event()), message(event("bob"), "south"), message(event("ada"))]
    await count(batch)
    await count(batch)
    assert {name: len(each.attempts) for name, each in store.tables.items()} == {"north": 2, "south": 1}
    assert {each.attempt.answer.traceparent for each in store.tables["north"].published} == {batch[0].traceparent}


def conflicting() -> list[Message]:
    one = event()
    other = LearningEvent.FromString(one.SerializeToString())
    other.attempt.item = "items/third"
    return [message(one), message(other)]


@pytest.mark.parametrize(
    ("messages", "counted"),
    [
        ([Message(b"\xff\xff")], 0),
        ([Message(event().SerializeToString(), organization="")], 0),
        ([message(LearningEvent(id=str(uuid4()), learner="learners/ada", page_view=PageView(page="x")))], 0),
        ([message(event(item="half"))], 0),
        ([message(event(learner="a b"))], 0),
        (conflicting(), 1),
    ],
)
async def test_what_can_never_be_counted_is_a_fault_and_its_neighbours_count(
    store: MemoryProgress, count: CountAttempts, messages: list[Message], counted: int
) -> None:
    with pytest.raises(InvalidInput):
        await count([message(event()), *messages, message(event("bob"))])
    assert len(store.tables["north"].attempts) == 2 + counted
