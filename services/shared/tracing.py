"""Spans around calls, as a port: the pipeline times every call, and a tracer may want to hear of it."""

from dataclasses import dataclass
from typing import Protocol

from domain.shared.trace import continued


class Span(Protocol):
    """One call. `traceparent` is the W3C trace context of what happens inside it."""

    traceparent: str

    def end(self, code: str) -> None:
        """Ends the span with the call's gRPC code."""


class Tracer(Protocol):
    def start(self, method: str, traceparent: str) -> Span:
        """Starts the span of a call that came with this trace context, empty if none."""


@dataclass(slots=True)
class UnreportedSpan:
    traceparent: str

    def end(self, code: str) -> None:
        return None


class NoCollector:
    """The tracer of a process that has no collector to report to: the trace goes on in headers and logs."""

    def start(self, method: str, traceparent: str) -> UnreportedSpan:
        return UnreportedSpan(continued(traceparent))
