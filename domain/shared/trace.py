"""The W3C trace context of the work in progress, so that every call, event and log line of it carries one trace id."""

import re
from contextvars import ContextVar
from secrets import token_hex

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

current_traceparent: ContextVar[str] = ContextVar("current_traceparent", default="")
"""`00-{trace id}-{span id}-{flags}`; empty outside any trace."""


def continued(traceparent: str) -> str:
    """Returns a trace context with a new span in the same trace, or in a new trace if there was none."""
    match = _TRACEPARENT.fullmatch(traceparent)
    trace = match[1] if match else token_hex(16)
    return f"00-{trace}-{token_hex(8)}-{traceparent[-2:] if match else '01'}"


def trace_id(traceparent: str) -> str:
    """Returns the 32 hex digits that name the trace, empty if there is none."""
    return traceparent[3:35]
