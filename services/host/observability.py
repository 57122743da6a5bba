"""Logs as JSON lines on standard output; traces to an OpenTelemetry collector when one is set."""

import logging
import sys

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from domain.shared.trace import current_traceparent, trace_id


def _with_trace(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    if "trace_id" not in event and (trace := trace_id(current_traceparent.get())):
        event["trace_id"] = trace
    return event


def log_as_json(process: str, level: str) -> None:
    """Every line names the process and, inside a call or an event's handling, the trace."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _with_trace,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=str)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
