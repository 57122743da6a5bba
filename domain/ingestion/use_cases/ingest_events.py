"""Takes learning events into the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic

from domain.ingestion.clock import correct, correction
from domain.ingestion.model import MOST_EVENTS, Batch, Entry, Receipt, judge
from domain.ingestion.ports import EventCounter, EventLog, Examiner, NothingCounted
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput, QuotaReached, Unavailable
from domain.shared.plans import Quota, check_room, until_tomorrow


@dataclass(frozen=True, slots=True)
class IngestEvents(Generic[Batch, Entry]):
    """Judges each event by itself and acknowledges the fit ones when the log has them. Learners may send their
    own events only, teachers those of the learners whom they see.

    Raises InvalidInput for a batch that is empty or too large, Unavailable when the log is away, QuotaReached when the organization has sent
    its events of the day: nothing is acknowledged then.
    """

    log: EventLog[Entry]
    examine: Examiner[Batch, Entry]
    clock: Clock
    counter: EventCounter = NothingCounted()  # noqa: RUF009  # it has no state

    async def __call__(self, caller: Caller, batch: Batch, seen: frozenset[str] | None = None) -> Receipt:
        """`seen` are the learners whom a caller who may see others sees, None for all."""
        if not 1 <= (count := len(batch.events)) <= MOST_EVENTS:
            raise InvalidInput.of("events", f"must be 1 to {MOST_EVENTS:,} events, not {count:,}")
        now = self.clock()
        moved = correction(batch.client_time, now) if batch.HasField("client_time") else timedelta()
        if moved:
            correct(batch.events, moved)
        only = None
        if seen is not None or not caller.may_see_others():
            only = {f"learners/{each}" for each in {*(seen or ()), caller.user}}
        judged = judge(batch, now, only, self.examine)
        if judged.fit:
            await self._append(caller, judged.fit, now)
        return Receipt(len(judged.fit) + judged.repeated, judged.refused, moved)

    async def _append(self, caller: Caller, entries: Sequence[Entry], now: datetime) -> None:
        """Counted first: of two that come at once both may be refused, but never both taken beyond the limit."""
        total = await self.counter.add(caller.organization, now.date(), len(entries))
        try:
            check_room(caller.plan, Quota.EVENTS_A_DAY, max(0, total - len(entries)), len(entries), until_tomorrow(now))
            await self.log.append(caller.organization, entries)
        except (QuotaReached, Unavailable):
            await self.counter.add(caller.organization, now.date(), -len(entries))
            raise
