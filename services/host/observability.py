"""Logs as JSON lines on standard output; traces to an OpenTelemetry collector when one is set."""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from domain.shared.trace import current_traceparent, trace_id


def log_as_json(process: str, level: str) -> None:
    """Every line names the process and, inside a call or an event's handling, the trace."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, _line(process)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )


def _line(process: str) -> Callable[[WrappedLogger, str, EventDict], bytes]:
    """Returns what makes an event a line: in one step, because every call writes one."""

    def line(_: WrappedLogger, level: str, event: EventDict) -> bytes:
        event["process"] = process
        event["level"] = level
        event["timestamp"] = datetime.now(UTC).isoformat()
        if "trace_id" not in event and (trace := trace_id(current_traceparent.get())):
            event["trace_id"] = trace
        return orjson.dumps(event, default=str)

    return line
