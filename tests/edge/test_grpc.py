"""gRPC and gRPC-Web through the edge."""

import base64

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from paideia.catalog.v1.catalog_service_pb2 import Course, GetCourseRequest, GetPublicationRequest, ListCoursesRequest
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from paideia.ingestion.v1.ingestion_service_pb2 import StreamEventsRequest
from paideia.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceStub

from tests.edge.conftest import Front
from tests.edge.proxy import edge
from tests.edge.upstream import CONTEXTS


def metadata(front: Front, *roles: str) -> tuple[tuple[str, str], ...]:
    return tuple(front.bearer(*roles).items())


async def test_a_call_goes_through(front: Front) -> None:
    async with grpc.aio.insecure_channel(front.edge.address) as channel:
        course = await CatalogServiceStub(channel).GetCourse(GetCourseRequest(name="courses/sql"), metadata=metadata(front))
    assert course.title == "SQL"


async def test_the_callers_deadline_reaches_the_service(front: Front) -> None:
    async with grpc.aio.insecure_channel(front.edge.address) as channel:
        stub = CatalogServiceStub(channel)
        await stub.GetCourse(GetCourseRequest(name="courses/sql"), metadata=metadata(front), timeout=7)
        assert 0 < front.upstream.seen.remaining[-1] < 8  # the wire rounds
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.GetCourse(GetCourseRequest(name="courses/slow"), metadata=metadata(front), timeout=0.3)
    assert refusal.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_without_a_token_is_unauthenticated(front: Front) -> None:
    async with grpc.aio.insecure_channel(front.edge.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await CatalogServiceStub(channel).GetCourse(GetCourseRequest(name="courses/sql"))
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert refusal.value.details() == "Jwt is missing"


async def test_a_refusal_keeps_its_code_and_details(front: Front) -> None:
    async with grpc.aio.insecure_channel(front.edge.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await CatalogServiceStub(channel).ListCourses(ListCoursesRequest(page_size=-1), metadata=metadata(front))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "grpc-status-details-bin" in dict(refusal.value.trailing_metadata() or ())


async def test_an_rpc_for_other_contexts_does_not_exist_at_the_edge(front: Front) -> None:
    async with grpc.aio.insecure_channel(front.edge.address) as channel:
        for given in ((), metadata(front, "ADMIN")):
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await CatalogServiceStub(channel).GetPublication(GetPublicationRequest(course="courses/sql"), metadata=given)
            assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
    for path in ("GetPublication", "BatchGetPublishedItems", "GetCourse"):
        reply = front.rest.post(f"/paideia.catalog.v1.CatalogService/{path}", headers=front.bearer("ADMIN"), json={})
        assert reply.status_code == 404


async def test_a_stream_answers_message_by_message(front: Front) -> None:
    async with grpc.aio.insecure_channel(front.edge.address) as channel:
        call = IngestionServiceStub(channel).StreamEvents(metadata=metadata(front))
        for number in (1, 2, 3):
            await call.write(StreamEventsRequest(number=number))
            assert (await call.read()).number == number  # type: ignore[union-attr]
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


async def test_health_answers_and_reflection_is_closed(front: Front) -> None:
    async with grpc.aio.insecure_channel(front.edge.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for context, service in (("", ""), ("catalog", "paideia.catalog.v1.CatalogService")):
            chosen = (("paideia-context", context),) if context else ()
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service), metadata=chosen)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await listed(channel)
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def listed(channel: grpc.aio.Channel) -> set[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in stub.ServerReflectionInfo(iter([request])):
        return {service.name for service in answer.list_services_response.service}
    return set()


async def test_reflection_answers_where_the_setting_opens_it(front: Front, tmp_path_factory: pytest.TempPathFactory) -> None:
    targets = dict.fromkeys(CONTEXTS, front.upstream.address)
    with edge(tmp_path_factory.mktemp("reflection"), targets, settings={"reflection": True}) as opened:
        async with grpc.aio.insecure_channel(opened.address) as channel:
            assert "paideia.catalog.v1.CatalogService" in await listed(channel)


def web(front: Front, message: bytes, headers: dict[str, str], text: bool = False) -> httpx.Response:
    """One gRPC-Web call: a frame is a flag byte, a length of four bytes, a message; trailers come as a frame with flag 0x80."""
    frame = b"\0" + len(message).to_bytes(4, "big") + message
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    return front.rest.post(
        "/paideia.catalog.v1.CatalogService/GetCourse",
        content=base64.b64encode(frame) if text else frame,
        headers={"content-type": kind, "x-grpc-web": "1", "accept": kind} | headers,
    )


@pytest.mark.parametrize("text", [False, True])
def test_a_browser_may_speak_grpc_web(front: Front, text: bool) -> None:
    reply = web(front, GetCourseRequest(name="courses/sql").SerializeToString(), front.bearer(), text)
    assert reply.status_code == 200
    content = b"".join(base64.b64decode(each) for each in _padded(reply.content)) if text else reply.content
    length = int.from_bytes(content[1:5], "big")
    assert Course.FromString(content[5 : 5 + length]).title == "SQL"
    assert content[5 + length] == 0x80
    assert b"grpc-status:0" in content[10 + length :]


def _padded(content: bytes) -> list[bytes]:
    """Envoy encodes body and trailers apart: each piece ends with its own padding."""
    pieces, start = [], 0
    for end in range(4, len(content) + 1, 4):
        if content[end - 1 : end] == b"=" or end == len(content):
            pieces.append(content[start:end])
            start = end
    return pieces


def test_grpc_web_without_a_token_is_unauthenticated(front: Front) -> None:
    reply = web(front, b"", {})
    assert (reply.headers["grpc-status"], reply.headers["content-type"]) == ("16", "application/grpc-web+proto")
