"""The adapters that call the catalog, progress and the scheduler, against servers of those contracts."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from paideia.catalog.v1 import catalog_service_pb2, item_pb2
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceServicer, add_CatalogServiceServicer_to_server
from paideia.progress.v1 import events_pb2, progress_service_pb2
from paideia.progress.v1.progress_service_pb2_grpc import ProgressServiceServicer, add_ProgressServiceServicer_to_server
from paideia.scheduler.v1 import scheduler_service_pb2
from paideia.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer, add_SchedulerServiceServicer_to_server

from adapters.assessment.grpc import GrpcAttemptListener, GrpcCatalogContent
from adapters.shared.grpc import Channels
from domain.assessment.model.answers import NumericAnswer
from domain.assessment.model.items import Body, Item, Key, NumericInteraction, NumericKey
from domain.assessment.model.responses import CourseNotPublished, Response
from domain.shared.clock import system_clock
from domain.shared.errors import NotFound, Unavailable
from services.shared.call import caller
from tests.rpc.serving import MESH_KEY, serving
from tests.stores import free_port

RESPONSE = Response(
    id=str(uuid4()),
    learner="ada",
    course="demo",
    item="half",
    item_revision=3,
    answer=NumericAnswer("1/2"),
    score=1.0,
    correct=True,
    feedback=(),
    explanation="",
    hints_revealed=2,
    decision=str(uuid4()),
    response_time=timedelta(seconds=5),
    answered_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
    received_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
)


class Catalog(CatalogServiceServicer):
    async def BatchGetPublishedItems(self, request, context):
        if request.course != "courses/demo" or caller(context).organization != "north":
            raise NotFound("no publication")
        item = item_pb2.Item(
            name="items/half",
            skills=["skills/fractions"],
            revision=3,
            body=item_pb2.Body(stem="Half?", numeric=item_pb2.NumericInteraction()),
            key=item_pb2.Key(numeric=item_pb2.NumericKey(value="1/2"), hints=["Two."], explanation="So."),
        )
        return catalog_service_pb2.BatchGetPublishedItemsResponse(
            publication=7, items=[item] if "items/half" in request.items else []
        )


class Progress(ProgressServiceServicer):
    """Counts every event once, a call at a time when `gate` is shut."""

    def __init__(self):
        self.batches = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def RecordAttempts(self, request, context):
        self.batches.append((caller(context).organization, list(request.events)))
        await self.gate.wait()
        counted = progress_service_pb2.RecordOutcome
        return progress_service_pb2.RecordAttemptsResponse(
            outcomes=[counted(update=events_pb2.ProgressUpdated(learner=each.learner, sequence=1)) for each in request.events]
        )


class Scheduler(SchedulerServiceServicer):
    def __init__(self):
        self.updates = []

    async def Observe(self, request, context):
        self.updates += request.updates
        return scheduler_service_pb2.ObserveResponse()


class Others:
    def __init__(self):
        self.progress, self.scheduler = Progress(), Scheduler()

    def add_to(self, server):
        add_CatalogServiceServicer_to_server(Catalog(), server)
        add_ProgressServiceServicer_to_server(self.progress, server)
        add_SchedulerServiceServicer_to_server(self.scheduler, server)


@pytest.fixture
async def others():
    others = Others()
    async with serving(others.add_to) as calls:
        targets = dict.fromkeys(("catalog", "progress", "scheduler"), calls.address)
        others.channels = Channels(targets, MESH_KEY, "assessment", system_clock)
        yield others
        await others.channels.close()


@pytest.fixture
async def nobody():
    targets = dict.fromkeys(("catalog", "progress", "scheduler"), f"127.0.0.1:{free_port()}")
    channels = Channels(targets, MESH_KEY, "assessment", system_clock)
    yield channels
    await channels.close()


async def test_published_items_come_whole_with_their_publication(others):
    batch = await GrpcCatalogContent(others.channels).published("north", "demo", ["half", "none"])
    body, key = Body("Half?", NumericInteraction()), Key(NumericKey("1/2"), ("Two.",), "So.")
    assert (batch.number, batch.items) == (7, (Item("half", 3, ("fractions",), body, key),))


@pytest.mark.parametrize(("organization", "course"), [("north", "none"), ("south", "demo")])
async def test_a_course_without_publication_is_said_so(others, organization, course):
    with pytest.raises(CourseNotPublished):
        await GrpcCatalogContent(others.channels).published(organization, course, ["half"])


async def test_an_absent_catalog_is_unavailable(nobody):
    with pytest.raises(Unavailable):
        await GrpcCatalogContent(nobody).published("north", "demo", ["half"])


async def test_progress_counts_the_attempt_and_the_scheduler_hears_of_it(others):
    await GrpcAttemptListener(others.channels).hear("north", RESPONSE, ["fractions"])
    ((organization, (event,)),) = others.progress.batches
    assert (organization, event.id, event.learner, event.course) == ("north", RESPONSE.id, "learners/ada", "courses/demo")
    assert (event.attempt.item, event.attempt.item_revision, event.attempt.hints_revealed) == ("items/half", 3, 2)
    assert list(event.attempt.skills) == ["skills/fractions"]
    assert [each.learner for each in others.scheduler.updates] == ["learners/ada"]


async def test_answers_that_come_while_progress_is_busy_are_told_together(others):
    listener = GrpcAttemptListener(others.channels, seconds=30)
    others.progress.gate.clear()
    first = asyncio.create_task(listener.hear("north", RESPONSE, ["fractions"]))
    while not others.progress.batches:
        await asyncio.sleep(0.001)
    rest = [asyncio.create_task(listener.hear("north", RESPONSE, ["fractions"])) for _ in range(5)]
    await asyncio.sleep(0)
    others.progress.gate.set()
    await asyncio.gather(first, *rest)
    assert [len(events) for _, events in others.progress.batches] == [1, 5]
    assert len(others.scheduler.updates) == 6


async def test_nothing_is_raised_when_nobody_listens(nobody):
    await GrpcAttemptListener(nobody, seconds=0.2).hear("north", RESPONSE, ["fractions"])


async def test_nobody_waits_long_for_a_progress_that_hangs(others):
    others.progress.gate.clear()
    await GrpcAttemptListener(others.channels, seconds=0.05).hear("north", RESPONSE, ["fractions"])
    others.progress.gate.set()
    assert others.scheduler.updates == []
