"""What every rpc is surrounded with, seen from the caller's side of a real channel."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2
from paideia.catalog.v1 import catalog_service_pb2 as catalog
from paideia.catalog.v1.catalog_service_pb2_grpc import (
    CatalogServiceServicer,
    CatalogServiceStub,
    add_CatalogServiceServicer_to_server,
)
from paideia.progress.v1 import progress_service_pb2 as progress
from paideia.progress.v1.progress_service_pb2_grpc import (
    ProgressServiceServicer,
    ProgressServiceStub,
    add_ProgressServiceServicer_to_server,
)

from adapters.shared.grpc import domain_error
from domain.shared.errors import InvalidInput, LimitReached, NotFound, RequestIdReused
from domain.shared.trace import current_traceparent
from services.shared.call import caller
from services.shared.idempotency import slow_first
from tests.rpc.serving import Calls, serving


class Courses(CatalogServiceServicer):
    """Answers in ways the tests can tell apart."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.taken: set[str] = set()
        self.ledger = Ledger()
        self.prepared: list[tuple[str, int]] = []
        self.acted: list[tuple[str, int]] = []
        """What was asked for, and how many entries of the ledger were open at that moment."""

    async def GetCourse(self, request, context):
        if request.name == "courses/none":
            raise NotFound("no course none")
        if request.name == "courses/fault":
            raise ZeroDivisionError("the secret cause")
        if request.name == "courses/busy":
            raise LimitReached("slow down")
        if request.name == "courses/bad":
            raise InvalidInput.of("name", "must be good")
        if request.name == "courses/slow":
            await asyncio.sleep(30)
        return catalog.Course(name=request.name, title=caller(context).user, description=current_traceparent.get())

    async def CreateCourse(self, request, context):
        self.created.append(request.course_id)
        if request.course_id == "refused":
            raise NotFound("not now")
        return catalog.Course(name=f"courses/{request.course_id}", title=str(len(self.created)))

    @slow_first
    async def UpdateCourse(self, request, context):
        """Refuses a title that is taken, before the request's transaction and, as whoever came first may have taken it, within."""
        self.prepared.append((request.course.title, self.ledger.open))
        if request.course.title in self.taken:
            raise InvalidInput.of("course.title", "is taken")
        await asyncio.sleep(0.01)

        async def act():
            self.acted.append((request.course.title, self.ledger.open))
            if request.course.title in self.taken:
                raise InvalidInput.of("course.title", "was taken meanwhile")
            self.taken.add(request.course.title)
            return catalog.Course(title=request.course.title)

        return act


class Masteries(ProgressServiceServicer):
    async def GetMastery(self, request, context):
        return progress.Mastery(learner=request.learner)


class Ledger:
    """Remembers in memory, one request after the other."""

    class Entry:
        def __init__(self, answer: bytes | None) -> None:
            self.answer = answer
            self.kept: bytes | None = None

        async def remember(self, answer: bytes) -> None:
            self.kept = answer

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], tuple[str, bytes, bytes]] = {}
        self._turn = asyncio.Lock()
        self.open = 0

    @asynccontextmanager
    async def entry(self, organization: str, method: str, request_id: str, fingerprint: bytes) -> AsyncIterator["Ledger.Entry"]:
        async with self._turn:
            known = self._answers.get((organization, request_id))
            if known and known[:2] != (method, fingerprint):
                raise RequestIdReused("reused")
            entry = self.Entry(known[2] if known else None)
            self.open += 1
            try:
                yield entry
            finally:
                self.open -= 1
            if entry.kept is not None:
                self._answers[organization, request_id] = (method, fingerprint, entry.kept)


@pytest.fixture
def courses() -> Courses:
    return Courses()


@pytest_asyncio.fixture
async def calls(courses: Courses) -> AsyncIterator[Calls]:
    def add(server: grpc.aio.Server) -> None:
        add_CatalogServiceServicer_to_server(courses, server)
        add_ProgressServiceServicer_to_server(Masteries(), server)

    async with serving(add, courses.ledger) as calls:
        yield calls


def details(error: grpc.aio.AioRpcError, kind):
    encoded = dict(error.trailing_metadata())["grpc-status-details-bin"]
    for packed in status_pb2.Status.FromString(encoded).details:
        message = kind()
        if packed.Unpack(message):
            return message
    raise AssertionError(f"no {kind} in the details")


async def test_the_caller_is_who_the_token_names(calls: Calls) -> None:
    course = await CatalogServiceStub(calls.channel).GetCourse(
        catalog.GetCourseRequest(name="courses/sql"), metadata=calls.as_(user="ada")
    )
    assert course.title == "ada"


@pytest.mark.parametrize("metadata", [(), (("authorization", "Basic abc"),), (("authorization", "Bearer nonsense"),)])
async def test_no_valid_token_is_unauthenticated(calls: Calls, metadata: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await CatalogServiceStub(calls.channel).GetCourse(catalog.GetCourseRequest(name="courses/sql"), metadata=metadata)
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_role_the_rule_does_not_allow_is_forbidden(calls: Calls) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await CatalogServiceStub(calls.channel).CreateCourse(catalog.CreateCourseRequest(), metadata=calls.as_())
    assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("learner", "roles", "code"),
    [
        ("learners/ada", ["LEARNER"], grpc.StatusCode.OK),
        ("learners/bob", ["LEARNER"], grpc.StatusCode.NOT_FOUND),
        ("learners/-", ["LEARNER"], grpc.StatusCode.NOT_FOUND),
        ("learners/", ["LEARNER"], grpc.StatusCode.INVALID_ARGUMENT),
        ("ada", ["LEARNER"], grpc.StatusCode.INVALID_ARGUMENT),
        ("learners/bob", ["LEARNER", "TEACHER"], grpc.StatusCode.OK),
    ],
)
async def test_a_learner_reaches_only_what_is_their_own(
    calls: Calls, learner: str, roles: list[str], code: grpc.StatusCode
) -> None:
    call = ProgressServiceStub(calls.channel).GetMastery(
        progress.GetMasteryRequest(learner=learner), metadata=calls.as_("north", "ada", *roles)
    )
    assert await call.code() is code


async def test_refusals_carry_their_reason_and_details(calls: Calls) -> None:
    stub = CatalogServiceStub(calls.channel)
    for course, code, kind in (
        ("none", grpc.StatusCode.NOT_FOUND, NotFound),
        ("busy", grpc.StatusCode.RESOURCE_EXHAUSTED, LimitReached),
        ("bad", grpc.StatusCode.INVALID_ARGUMENT, InvalidInput),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.GetCourse(catalog.GetCourseRequest(name=f"courses/{course}"), metadata=calls.as_())
        assert refusal.value.code() is code
        assert details(refusal.value, error_details_pb2.ErrorInfo).reason == kind.reason
        assert isinstance(domain_error(refusal.value), kind)
    assert details(refusal.value, error_details_pb2.BadRequest).field_violations[0].field == "name"


async def test_a_fault_of_ours_is_internal_and_tells_nothing_but_its_trace(calls: Calls) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await CatalogServiceStub(calls.channel).GetCourse(catalog.GetCourseRequest(name="courses/fault"), metadata=calls.as_())
    assert refusal.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in refusal.value.details()
    assert "trace" in refusal.value.details()


async def test_invalid_utf8_is_an_invalid_argument(calls: Calls) -> None:
    call = calls.channel.unary_unary("/paideia.catalog.v1.CatalogService/GetCourse")
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await call(b"\x0a\x02\xff\xfe", metadata=calls.as_())
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_request_over_the_limit_is_refused(calls: Calls) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await CatalogServiceStub(calls.channel).GetCourse(catalog.GetCourseRequest(name="c" * 10_000_000), metadata=calls.as_())
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_the_trace_of_the_caller_goes_on(calls: Calls) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    course = await CatalogServiceStub(calls.channel).GetCourse(
        catalog.GetCourseRequest(name="courses/sql"), metadata=(*calls.as_(), ("traceparent", f"00-{trace}-00f067aa0ba902b7-01"))
    )
    assert course.description.split("-")[1] == trace


async def test_a_call_past_its_deadline_is_given_up(calls: Calls) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await CatalogServiceStub(calls.channel).GetCourse(
            catalog.GetCourseRequest(name="courses/slow"), metadata=calls.as_(), timeout=0.2
        )
    assert refusal.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_repeat_gets_the_first_answer_and_acts_once(calls: Calls, courses: Courses) -> None:
    stub = CatalogServiceStub(calls.channel)
    request = catalog.CreateCourseRequest(request_id=str(uuid4()), course_id="sql")
    answers = [await stub.CreateCourse(request, metadata=calls.as_("north", "ada", "AUTHOR")) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert courses.created == ["sql"]


async def test_another_organization_may_use_the_same_request_id(calls: Calls, courses: Courses) -> None:
    stub = CatalogServiceStub(calls.channel)
    request = catalog.CreateCourseRequest(request_id=str(uuid4()), course_id="sql")
    for organization in ("north", "south"):
        await stub.CreateCourse(request, metadata=calls.as_(organization, "ada", "AUTHOR"))
    assert courses.created == ["sql", "sql"]


async def test_the_same_request_id_with_another_body_already_exists(calls: Calls) -> None:
    stub = CatalogServiceStub(calls.channel)
    request = catalog.CreateCourseRequest(request_id=str(uuid4()), course_id="sql")
    await stub.CreateCourse(request, metadata=calls.as_("north", "ada", "AUTHOR"))
    request.course_id = "other"
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.CreateCourse(request, metadata=calls.as_("north", "ada", "AUTHOR"))
    assert refusal.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert details(refusal.value, error_details_pb2.ErrorInfo).reason == "REQUEST_ID_REUSED"


async def test_a_refused_request_may_be_tried_again_under_its_id(calls: Calls, courses: Courses) -> None:
    stub = CatalogServiceStub(calls.channel)
    request = catalog.CreateCourseRequest(request_id=str(uuid4()), course_id="refused")
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.CreateCourse(request, metadata=calls.as_("north", "ada", "AUTHOR"))
    assert len(courses.created) == 2


async def test_what_is_slow_comes_before_the_requests_transaction(calls: Calls, courses: Courses) -> None:
    stub = CatalogServiceStub(calls.channel)
    request = catalog.UpdateCourseRequest(request_id=str(uuid4()), course=catalog.Course(title="SQL"))
    answers = [await stub.UpdateCourse(request, metadata=calls.as_("north", "ada", "AUTHOR")) for _ in range(3)]
    assert [each.title for each in answers] == ["SQL"] * 3
    assert (courses.prepared, courses.acted) == ([("SQL", 0)], [("SQL", 1)])


async def test_many_of_one_request_get_one_answer_also_when_the_first_one_made_the_others_impossible(
    calls: Calls, courses: Courses
) -> None:
    stub = CatalogServiceStub(calls.channel)
    request = catalog.UpdateCourseRequest(request_id=str(uuid4()), course=catalog.Course(title="SQL"))
    answers = await asyncio.gather(*(stub.UpdateCourse(request, metadata=calls.as_("north", "ada", "AUTHOR")) for _ in range(6)))
    assert [each.title for each in answers] == ["SQL"] * 6
    assert courses.acted == [("SQL", 1)]


async def test_a_refusal_by_the_slow_part_leaves_the_request_id_free(calls: Calls, courses: Courses) -> None:
    stub = CatalogServiceStub(calls.channel)
    courses.taken.add("SQL")
    request = catalog.UpdateCourseRequest(request_id=str(uuid4()), course=catalog.Course(title="SQL"))
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.UpdateCourse(request, metadata=calls.as_("north", "ada", "AUTHOR"))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    courses.taken.clear()
    assert (await stub.UpdateCourse(request, metadata=calls.as_("north", "ada", "AUTHOR"))).title == "SQL"


@pytest.mark.parametrize("request_id", ["", "1", "not-a-uuid-at-all-but-thirty-six-lo"])
async def test_a_mutation_without_a_request_id_is_refused(calls: Calls, request_id: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await CatalogServiceStub(calls.channel).CreateCourse(
            catalog.CreateCourseRequest(request_id=request_id), metadata=calls.as_("north", "ada", "AUTHOR")
        )
    assert details(refusal.value, error_details_pb2.BadRequest).field_violations[0].field == "request_id"
