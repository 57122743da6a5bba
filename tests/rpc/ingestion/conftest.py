"""Ingestion behind the real interceptors, into a log in memory."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceStub, add_IngestionServiceServicer_to_server

from adapters.ingestion.kafka_entry import Entry
from adapters.ingestion.kafka_usual_shape import QuickExaminer
from adapters.ingestion.memory import MemoryEventLog
from domain.ingestion.ports import EventLog, NothingCounted
from domain.ingestion.use_cases.get_usage import GetUsage
from domain.ingestion.use_cases.ingest_events import IngestEvents
from domain.shared.clock import system_clock
from services.ingestion.servicer import IngestionServicer
from services.shared.sights import Sights
from tests.rpc.serving import Calls, serving


class Decoding(EventLog[Entry]):
    """A log that can be read as events."""

    def __init__(self, log: MemoryEventLog[LearningEvent]) -> None:
        self._log = log

    async def append(self, organization: str, entries: Sequence[Entry]) -> None:
        await self._log.append(organization, [LearningEvent.FromString(each.encoding) for each in entries])


@dataclass(frozen=True)
class Ingestion:
    stub: IngestionServiceStub
    calls: Calls
    log: MemoryEventLog[LearningEvent]


@pytest.fixture
def sights() -> Sights | None:
    """Whose work teachers see; None: everybody's."""
    return None


@pytest.fixture
async def ingestion(sights: Sights | None) -> AsyncIterator[Ingestion]:
    log: MemoryEventLog[LearningEvent] = MemoryEventLog()
    servicer = IngestionServicer(
        IngestEvents(Decoding(log), QuickExaminer(), system_clock), GetUsage(NothingCounted(), system_clock)
    )
    async with serving(lambda server: add_IngestionServiceServicer_to_server(servicer, server), sights=sights) as calls:
        yield Ingestion(IngestionServiceStub(calls.channel), calls, log)


@pytest.fixture
def attempt() -> Callable[..., LearningEvent]:
    def make(learner: str = "ada") -> LearningEvent:
        event = LearningEvent(id=str(uuid4()), learner=f"learners/{learner}")
        event.occur_time.FromDatetime(datetime.now(UTC))
        event.attempt.item = "items/half"
        event.attempt.skills.append("skills/halves")
        event.attempt.correct = True
        return event

    return make
