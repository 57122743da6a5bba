"""Reports behind the real interceptors, wired by their own container over memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from dependency_injector import providers
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.analytics.v1.analytics_service_pb2_grpc import AnalyticsServiceStub, add_AnalyticsServiceServicer_to_server
from paideia.ingestion.v1.events_pb2 import Attempt, LearningEvent, Session
from paideia.progress.v1.events_pb2 import ProgressUpdated, SkillState
from paideia.scheduler.v1.events_pb2 import DecisionMade
from paideia.scheduler.v1.scheduler_service_pb2 import Choice, Decision

from adapters.analytics.exports_files import opened
from adapters.analytics.memory import MemoryAnalytics
from domain.analytics.exports import Export, ExportFormat
from domain.analytics.ports import ReportFile, ReportFiles
from domain.analytics.reports import Row
from services.analytics.container import AnalyticsContainer
from services.shared.sights import Sights
from tests.rpc.serving import Calls, serving
from tests.unit.analytics.report_making import MONDAY


@dataclass(frozen=True)
class Message:
    """A message of the log."""

    topic: str
    value: bytes
    organization: str = "north"


def at(minutes: float) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(MONDAY + timedelta(minutes=minutes))
    return moment


def answered(
    number: int, learner: str = "ada", item: str = "i1", correct: bool = True, minutes: float = 0, **fields: object
) -> Message:
    attempt = Attempt(
        item=f"items/{item}", skills=["skills/s1"], correct=correct, response_time=Duration(seconds=number), **fields
    )
    event = LearningEvent(
        id=str(UUID(int=number)), learner=f"learners/{learner}", occur_time=at(minutes), course="courses/maths", attempt=attempt
    )
    return Message("user.attempts", event.SerializeToString())


def session(name: str, ended: bool, minutes: float, learner: str = "ada") -> Message:
    event = LearningEvent(
        id=str(UUID(int=int(minutes))),
        learner=f"learners/{learner}",
        occur_time=at(minutes),
        course="courses/maths",
        session=Session(session=name, phase="SESSION_PHASE_ENDED" if ended else "SESSION_PHASE_STARTED"),
    )
    return Message("user.sessions", event.SerializeToString())


def updated(sequence: int, mean: float, learner: str = "ada", minutes: float = 0) -> Message:
    update = ProgressUpdated(
        learner=f"learners/{learner}",
        sequence=sequence,
        answer_time=at(minutes),
        skills=[SkillState(skill="skills/s1", mean=mean, lower=mean / 2, upper=mean)],
    )
    return Message("progress.updates", update.SerializeToString())


def decision(name: str = "d1", learner: str = "ada", *items: str, predicted: float = 0.75, **fields: object) -> Message:
    made = Decision(
        name=f"decisions/{name}",
        learner=f"learners/{learner}",
        course="courses/maths",
        decide_time=at(0),
        policy_version="practice-1",
        arm="growth",
        choices=[Choice(item=f"items/{each}", predicted_correct=predicted) for each in items],
        **fields,
    )
    return Message("scheduler.decisions", DecisionMade(decision=made).SerializeToString())


@dataclass
class MemoryFiles(ReportFiles):
    """Keeps files by their link."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def open(self, format: ExportFormat, row: type[Row]):  # type: ignore[no-untyped-def]
        return opened(format, row)

    async def put(self, file: ReportFile, organization: str, export: Export) -> None:
        self.kept[await self.link(organization, export)] = file.path.read_bytes()  # type: ignore[attr-defined]

    async def link(self, organization: str, export: Export) -> str:
        return f"memory://{organization}/{export.object_name}"

    async def delete(self, organization: str, export: Export) -> None:
        self.kept.pop(await self.link(organization, export), None)


@dataclass
class Analytics:
    stub: AnalyticsServiceStub
    calls: Calls
    container: AnalyticsContainer
    files: MemoryFiles
    now: list[datetime]

    async def __call__(
        self, method: str, message: object, user: str = "grace", *roles: str, organization: str = "north"
    ) -> object:
        metadata = self.calls.as_(organization, user, *(roles or ("TEACHER",)))
        return await getattr(self.stub, method)(message, metadata=metadata)

    async def log(self, *messages: Message) -> None:
        await self.container.log_facts()(messages)


@pytest.fixture
def sights() -> Sights | None:
    """Whose work teachers see; None: everybody's."""
    return None


@pytest.fixture
async def analytics(sights: Sights | None) -> AsyncIterator[Analytics]:
    store, files, now = MemoryAnalytics(), MemoryFiles(), [MONDAY + timedelta(days=7)]
    container = AnalyticsContainer(
        unit=providers.Factory(store.unit),
        counting=providers.Factory(store.unit),
        snapshot=providers.Factory(store.unit),
        due=providers.Object(store),
        files=providers.Object(files),
        clock=providers.Object(lambda: now[0]),
    )
    servicer = container.servicer()
    async with serving(lambda server: add_AnalyticsServiceServicer_to_server(servicer, server), sights=sights) as calls:
        yield Analytics(AnalyticsServiceStub(calls.channel), calls, container, files, now)
