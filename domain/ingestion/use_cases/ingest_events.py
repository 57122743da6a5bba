"""Takes learning events into the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from domain.ingestion.model import MOST_EVENTS, Event, Receipt, judge
from domain.ingestion.ports import EventLog
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class IngestEvents(Generic[Event]):
    """Judges each event by itself and acknowledges the fit ones when the log has them. Learners may send their own events only.

    Raises InvalidInput for a batch that is empty or too large, Unavailable when the log is away: nothing is acknowledged then.
    """

    log: EventLog[Event]
    clock: Clock

    async def __call__(self, caller: Caller, events: Sequence[Event]) -> Receipt:
        if not 1 <= len(events) <= MOST_EVENTS:
            raise InvalidInput.of("events", f"must be 1 to {MOST_EVENTS:,} events, not {len(events):,}")
        judged = judge(events, self.clock(), None if caller.may_see_others() else f"learners/{caller.user}")
        if judged.fit:
            await self.log.append(caller.organization, judged.fit)
        return Receipt(len(judged.fit) + judged.repeated, judged.refused)
