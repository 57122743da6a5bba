"""The event log in memory: for tests."""

from collections.abc import Sequence
from typing import Generic

from domain.ingestion.model import Entry
from domain.ingestion.ports import EventLog
from domain.shared.errors import Unavailable


class MemoryEventLog(EventLog[Entry], Generic[Entry]):
    """Holds what was appended, by organization. While `away`, it takes nothing."""

    def __init__(self) -> None:
        self.events: dict[str, list[Entry]] = {}
        self.away = False

    async def append(self, organization: str, entries: Sequence[Entry]) -> None:
        if self.away:
            raise Unavailable("the event log is away")
        self.events.setdefault(organization, []).extend(entries)
