from collections.abc import Mapping
from dataclasses import dataclass

from domain.ingestion.ports import EventCounter
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class GetUsage:
    """How many events the caller's organization has sent today."""

    counter: EventCounter
    clock: Clock

    async def __call__(self, caller: Caller) -> Mapping[Quota, int]:
        """Raises Unavailable."""
        return {Quota.EVENTS_A_DAY: await self.counter.of(caller.organization, self.clock().date())}
