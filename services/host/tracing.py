"""Spans to an OpenTelemetry collector, when one is set."""

from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.shared.tracing import NoCollector, Tracer

_propagator = TraceContextTextMapPropagator()


class OtelSpan:
    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(self, code: str) -> None:
        self._span.set_attribute("rpc.grpc.status_code", code)
        if code != "OK":
            self._span.set_status(Status(StatusCode.ERROR, code))
        self._span.end()


class OtelTracer:
    """Reports every call as a server span, in batches, off the request path."""

    def __init__(self, process: str, endpoint: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": f"paideia-{process}"}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, insecure=True)))
        self._tracer = self._provider.get_tracer("paideia")

    def start(self, method: str, traceparent: str) -> OtelSpan:
        parent: Context = _propagator.extract({"traceparent": traceparent})
        service, _, name = method[1:].partition("/")
        attributes: dict[str, Any] = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        return OtelSpan(self._tracer.start_span(method[1:], parent, SpanKind.SERVER, attributes))

    def close(self) -> None:
        """Sends what is still waiting."""
        self._provider.shutdown()


def tracer_of(process: str, endpoint: str) -> Tracer:
    """Returns the tracer of a process; `endpoint` is a collector's `host:port` for OTLP over gRPC, empty for none."""
    return OtelTracer(process, endpoint) if endpoint else NoCollector()
