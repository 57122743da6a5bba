"""Spans reach a collector over OTLP, in the caller's trace."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from paideia.progress.v1 import progress_service_pb2 as progress
from paideia.progress.v1.progress_service_pb2_grpc import (
    ProgressServiceServicer,
    ProgressServiceStub,
    add_ProgressServiceServicer_to_server,
)

from domain.shared.errors import NotFound
from services.host.tracing import OtelTracer
from tests.rpc.serving import serving


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self) -> None:
        self.spans = []

    def Export(self, request, context):
        self.spans += [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


class Masteries(ProgressServiceServicer):
    async def GetMastery(self, request, context):
        if request.learner == "learners/none":
            raise NotFound("nobody")
        return progress.Mastery(learner=request.learner)


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield collector, f"127.0.0.1:{port}"
    server.stop(None).wait()


async def test_calls_become_spans_of_the_callers_trace(collector: tuple[Collector, str]) -> None:
    received, address = collector
    tracer = OtelTracer("progress", address)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with serving(lambda server: add_ProgressServiceServicer_to_server(Masteries(), server), tracer=tracer) as calls:
        stub = ProgressServiceStub(calls.channel)
        for learner in ("ada", "none"):
            metadata = (*calls.as_("north", learner), ("traceparent", f"00-{trace}-00f067aa0ba902b7-01"))
            await stub.GetMastery(progress.GetMasteryRequest(learner=f"learners/{learner}"), metadata=metadata).code()
    tracer.close()
    assert [span.trace_id.hex() for span in received.spans] == [trace, trace]
    assert [span.parent_span_id.hex() for span in received.spans] == ["00f067aa0ba902b7"] * 2
    codes = [{each.key: each.value.string_value for each in span.attributes}["rpc.grpc.status_code"] for span in received.spans]
    assert codes == ["OK", "NOT_FOUND"]
