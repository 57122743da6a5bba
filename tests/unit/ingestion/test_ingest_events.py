from collections.abc import Callable
from datetime import datetime

import pytest
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest

from adapters.ingestion.memory import MemoryEventLog
from domain.ingestion.use_cases.ingest_events import IngestEvents
from domain.shared.caller import Caller, Role
from domain.shared.errors import InvalidInput, Unavailable
from tests.ingesting import batch, by_rules

Attempt = Callable[..., LearningEvent]

ADA = Caller("north", "ada", frozenset({Role.LEARNER}))
TOM = Caller("north", "tom", frozenset({Role.TEACHER, Role.LEARNER}))


@pytest.fixture
def log() -> MemoryEventLog[LearningEvent]:
    return MemoryEventLog()


@pytest.fixture
def ingest(log: MemoryEventLog[LearningEvent], now: datetime) -> IngestEvents[IngestEventsRequest, LearningEvent]:
    return IngestEvents(log, by_rules, lambda: now)


async def test_fit_events_are_in_the_log_of_the_callers_organization(
    ingest: IngestEvents[IngestEventsRequest, LearningEvent], log: MemoryEventLog[LearningEvent], attempt: Attempt
) -> None:
    events = [attempt("ada"), attempt("bob")]
    receipt = await ingest(TOM, batch(events))
    assert (receipt.accepted, list(receipt.refused)) == (2, [])
    assert log.events == {"north": events}


async def test_a_learner_is_refused_for_others(
    ingest: IngestEvents[IngestEventsRequest, LearningEvent], log: MemoryEventLog[LearningEvent], attempt: Attempt
) -> None:
    own, other = attempt("ada"), attempt("bob")
    receipt = await ingest(ADA, batch([other, own]))
    assert receipt.accepted == 1
    assert [each.index for each in receipt.refused] == [0]
    assert log.events == {"north": [own]}


async def test_an_event_sent_twice_is_acknowledged_twice_and_kept_once(
    ingest: IngestEvents[IngestEventsRequest, LearningEvent], log: MemoryEventLog[LearningEvent], attempt: Attempt
) -> None:
    event = attempt("ada")
    again = LearningEvent.FromString(event.SerializeToString())
    assert (await ingest(ADA, batch([event, again]))).accepted == 2
    assert log.events == {"north": [event]}


@pytest.mark.parametrize("count", [0, 10_001])
async def test_a_batch_that_is_empty_or_too_large_is_refused_whole(
    ingest: IngestEvents[IngestEventsRequest, LearningEvent], log: MemoryEventLog[LearningEvent], attempt: Attempt, count: int
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await ingest(ADA, batch([attempt()] * count))
    assert [each.field for each in refusal.value.violations] == ["events"]
    assert not log.events


async def test_nothing_is_acknowledged_while_the_log_is_away(
    ingest: IngestEvents[IngestEventsRequest, LearningEvent], log: MemoryEventLog[LearningEvent], attempt: Attempt
) -> None:
    log.away = True
    with pytest.raises(Unavailable):
        await ingest(ADA, batch([attempt("ada")]))


async def test_a_batch_with_nothing_fit_does_not_need_the_log(
    ingest: IngestEvents[IngestEventsRequest, LearningEvent], log: MemoryEventLog[LearningEvent], attempt: Attempt
) -> None:
    log.away = True
    assert (await ingest(ADA, batch([attempt("bob")]))).accepted == 0
