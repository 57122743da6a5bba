"""What of calls the audit log is told, through the pipeline of every context."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from grpc.aio import AioRpcError
from paideia.audit.v1.events_pb2 import ActRecorded
from paideia.catalog.v1 import catalog_service_pb2 as catalog
from paideia.catalog.v1.catalog_service_pb2_grpc import (
    CatalogServiceServicer,
    CatalogServiceStub,
    add_CatalogServiceServicer_to_server,
)
from paideia.identity.v1 import identity_service_pb2 as identity
from paideia.identity.v1.identity_service_pb2_grpc import (
    IdentityServiceServicer,
    IdentityServiceStub,
    add_IdentityServiceServicer_to_server,
)
from paideia.progress.v1 import progress_service_pb2 as progress
from paideia.progress.v1.progress_service_pb2_grpc import (
    ProgressServiceServicer,
    ProgressServiceStub,
    add_ProgressServiceServicer_to_server,
)
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.shared.postgres import PostgresUnit
from adapters.shared.request_ledger import PostgresRequestLedger
from domain.shared.clock import system_clock
from domain.shared.errors import NotFound, Unauthenticated, Unavailable
from domain.shared.events import EventEnvelope
from services.host.host import CONTEXTS, service_of
from services.shared.acts import BufferedActs, watches_of
from tests.rpc.serving import Calls, serving


class Courses(CatalogServiceServicer):
    async def CreateCourse(self, request, context):
        if request.course_id == "refused":
            raise NotFound("not now")
        return catalog.Course(name=f"courses/{request.course_id}")

    async def GetCourse(self, request, context):
        return catalog.Course()


class People(IdentityServiceServicer):
    async def GetUser(self, request, context):
        return identity.User()

    async def SignIn(self, request, context):
        raise Unauthenticated("no")


class Masteries(ProgressServiceServicer):
    async def GetMastery(self, request, context):
        return progress.Mastery()


@dataclass
class Noted:
    """An ActSink for tests."""

    acts: list[tuple[str, ActRecorded]] = field(default_factory=list)

    def note(self, act: ActRecorded, organization: str) -> None:
        self.acts.append((organization, act))

    def told(self) -> list[tuple[str, str, str, str, str, str]]:
        return [(where, each.actor, each.act, each.target, each.outcome, each.reason) for where, each in self.acts]


@pytest.fixture
def noted() -> Noted:
    return Noted()


def add(server) -> None:
    add_CatalogServiceServicer_to_server(Courses(), server)
    add_IdentityServiceServicer_to_server(People(), server)
    add_ProgressServiceServicer_to_server(Masteries(), server)


@pytest.fixture
async def calls(noted: Noted) -> AsyncIterator[Calls]:
    async with serving(add, acts=noted) as calls:
        yield calls


async def refused(call) -> None:
    with pytest.raises(AioRpcError):
        await call


def created(course: str = "sql", request_id: str = "") -> catalog.CreateCourseRequest:
    return catalog.CreateCourseRequest(request_id=request_id or str(uuid4()), course_id=course)


async def test_a_change_is_noted_with_its_actor_and_what_it_made(calls: Calls, noted: Noted) -> None:
    metadata = (*calls.as_("north", "ann", "AUTHOR"), ("x-forwarded-for", "10.0.0.1, 192.0.2.77"))
    await CatalogServiceStub(calls.channel).CreateCourse(created(), metadata=metadata)
    assert noted.told() == [("north", "users/ann", "catalog.CreateCourse", "courses/sql", "SUCCEEDED", "")]
    assert noted.acts[0][1].address == "192.0.2.0/24"


async def test_reading_what_is_nobodys_and_practising_are_not_noted(calls: Calls, noted: Noted) -> None:
    await CatalogServiceStub(calls.channel).GetCourse(catalog.GetCourseRequest(name="courses/sql"), metadata=calls.as_())
    await ProgressServiceStub(calls.channel).GetMastery(
        progress.GetMasteryRequest(learner="learners/ada"), metadata=calls.as_(user="ada")
    )
    await ProgressServiceStub(calls.channel).GetMastery(
        progress.GetMasteryRequest(learner="learners/ada"), metadata=calls.as_("north", "grace", "TEACHER")
    )
    assert noted.told() == []


async def test_an_administrators_reading_of_other_peoples_data_is_noted(calls: Calls, noted: Noted) -> None:
    metadata = calls.as_("north", "ann", "ADMIN")
    await IdentityServiceStub(calls.channel).GetUser(identity.GetUserRequest(name="users/eve"), metadata=metadata)
    await ProgressServiceStub(calls.channel).GetMastery(progress.GetMasteryRequest(learner="learners/eve"), metadata=metadata)
    assert noted.told() == [
        ("north", "users/ann", "identity.GetUser", "users/eve", "SUCCEEDED", "READ"),
        ("north", "users/ann", "progress.GetMastery", "learners/eve", "SUCCEEDED", "READ"),
    ]


async def test_refusals_are_noted_and_other_failures_are_not(calls: Calls, noted: Noted) -> None:
    stub = CatalogServiceStub(calls.channel)
    await refused(stub.CreateCourse(created(), metadata=calls.as_("north", "ada", "LEARNER")))
    await refused(stub.CreateCourse(created("refused"), metadata=calls.as_("north", "ann", "AUTHOR")))
    other = progress.GetMasteryRequest(learner="learners/bob")
    await refused(ProgressServiceStub(calls.channel).GetMastery(other, metadata=calls.as_("north", "ada", "LEARNER")))
    assert noted.told() == [
        ("north", "users/ada", "catalog.CreateCourse", "courses/sql", "REFUSED", "FORBIDDEN"),
        ("north", "users/ada", "progress.GetMastery", "learners/bob", "REFUSED", "NOT_FOUND"),
    ]


async def test_of_a_stranger_only_the_claim_is_noted_and_the_login_as_a_hash(calls: Calls, noted: Noted) -> None:
    await refused(CatalogServiceStub(calls.channel).CreateCourse(created(), metadata=(("authorization", "Bearer nonsense"),)))
    stub = IdentityServiceStub(calls.channel)
    for login in ("Eve@Example.org", "eve@example.org", "bob"):
        await refused(stub.SignIn(identity.SignInRequest(organization="organizations/north", login=login, password="secret")))
    await refused(stub.SignIn(identity.SignInRequest(organization="no such/name", login="x")))
    assert noted.told()[0] == ("-", "", "catalog.CreateCourse", "", "REFUSED", "INVALID_TOKEN")
    claims = [each[1] for each in noted.told()[1:4]]
    assert claims[0] == claims[1] != claims[2]
    assert all(each.startswith("claims/") and "eve" not in each for each in claims)
    assert noted.told()[4][0] == "-"
    assert "secret" not in str(noted.acts)


async def test_an_act_is_recorded_if_and_only_if_its_change_commits(postgres, noted: Noted) -> None:
    engine = create_async_engine(postgres.dsn("paideia_catalog").replace("postgresql://", "postgresql+asyncpg://"))
    organization = f"north-{uuid4().hex[:8]}"

    async def recorded() -> list[str]:
        async with PostgresUnit(engine, organization) as unit:
            rows = await unit.connection.execute(text("SELECT payload FROM outbox WHERE topic = 'audit.acts'"))
            return [ActRecorded.FromString(bytes(each)).target for each in rows.scalars()]

    try:
        async with serving(add, PostgresRequestLedger(engine), acts=noted) as calls:
            stub, metadata = CatalogServiceStub(calls.channel), calls.as_(organization, "ann", "AUTHOR")
            request = created()
            await asyncio.gather(*(stub.CreateCourse(request, metadata=metadata) for _ in range(5)))
            assert await recorded() == ["courses/sql"]
            await refused(stub.CreateCourse(created("refused"), metadata=metadata))
            assert await recorded() == ["courses/sql"]
    finally:
        await engine.dispose()
    assert noted.told() == []


class Log:
    def __init__(self) -> None:
        self.sent: list[EventEnvelope] = []
        self.away = False

    async def send(self, envelopes: Sequence[EventEnvelope]) -> None:
        if self.away:
            raise Unavailable("away")
        self.sent += envelopes


async def test_acts_alike_are_counted_and_a_flood_stays_bounded() -> None:
    log = Log()
    acts = BufferedActs(log.send, system_clock)
    for _ in range(50):
        acts.note(ActRecorded(act="identity.SignIn", outcome="REFUSED"), "north")
    for number in range(5_000):
        acts.note(ActRecorded(act="identity.GetUser", target=f"users/{number}", outcome="REFUSED"), "north")
    await acts.flush()
    events = [ActRecorded.FromString(each.payload) for each in log.sent]
    assert events[0].count == 50
    assert len(events) <= 1_001
    assert sum(each.count for each in events) == 5_050
    await acts.flush()
    assert len(log.sent) == len(events)


async def test_while_the_log_is_away_acts_wait_under_the_same_event_id() -> None:
    log = Log()
    acts = BufferedActs(log.send, system_clock)
    log.away = True
    acts.note(ActRecorded(act="a", outcome="REFUSED"), "north")
    await acts.flush()
    acts.note(ActRecorded(act="b", outcome="REFUSED"), "north")
    log.away = False
    await acts.flush()
    assert [ActRecorded.FromString(each.payload).act for each in log.sent] == ["a", "b"]


async def test_acts_alike_before_during_and_after_an_outage_are_all_counted() -> None:
    log = Log()
    acts = BufferedActs(log.send, system_clock)
    log.away = True
    for many in (3, 4):
        for _ in range(many):
            acts.note(ActRecorded(act="a", outcome="REFUSED"), "north")
        await acts.flush()
    log.away = False
    await acts.flush()
    assert sum(ActRecorded.FromString(each.payload).count for each in log.sent) == 7
    assert len({each.id for each in log.sent}) == 2, "what was sent already is not changed: it may have arrived"


async def test_acts_that_were_on_their_way_when_the_process_ends_are_sent_again_under_their_ids() -> None:
    tried: list[str] = []

    async def send(envelopes: Sequence[EventEnvelope]) -> None:
        tried.extend(each.id for each in envelopes)
        if len(tried) == 1:
            await asyncio.sleep(60)

    acts = BufferedActs(send, system_clock)
    acts.note(ActRecorded(act="a", outcome="REFUSED"), "north")
    running = asyncio.create_task(acts.run())
    async with asyncio.timeout(10):
        while not tried:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(tried) == 2
    assert len(set(tried)) == 1


def test_whatever_administrators_change_is_watched() -> None:
    watches = {name: watch for context in CONTEXTS for name, watch in watches_of(service_of(context)).items()}
    changing = {watch.act for watch in watches.values() if watch.changes}
    assert {
        "identity.UpdateUser",
        "identity.ResetSecondFactors",
        "identity.UpdateOrganization",
        "catalog.PublishCourse",
    } <= changing
    assert {"scheduler.StagePolicy", "assessment.PublishItemBankVersion", "analytics.CreateExport"} <= changing
    assert not {"assessment.SubmitResponse", "scheduler.NextItems", "identity.SignIn"} & changing
