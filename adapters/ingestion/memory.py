"""The event log in memory: for tests."""

from collections.abc import Sequence
from typing import Generic

from domain.ingestion.model import Event
from domain.ingestion.ports import EventLog
from domain.shared.errors import Unavailable


class MemoryEventLog(EventLog[Event], Generic[Event]):
    """Holds what was appended, by organization. While `away`, it takes nothing."""

    def __init__(self) -> None:
        self.events: dict[str, list[Event]] = {}
        self.away = False

    async def append(self, organization: str, events: Sequence[Event]) -> None:
        if self.away:
            raise Unavailable("the event log is away")
        self.events.setdefault(organization, []).extend(events)
