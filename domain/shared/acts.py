"""The act of the call in progress, for whoever commits what it changes: act and change are recorded together or not at all."""

from contextvars import ContextVar
from dataclasses import dataclass

from domain.shared.events import EventEnvelope


@dataclass(slots=True)
class ActInProgress:
    """`recorded` once the act's event is in a transaction that committed."""

    envelope: EventEnvelope
    recorded: bool = False


act_in_progress: ContextVar[ActInProgress | None] = ContextVar("act_in_progress", default=None)
"""None in calls that the audit log does not want to know of when they succeed."""
