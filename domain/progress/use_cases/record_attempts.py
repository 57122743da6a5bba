from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.progress.model import Answer, Outcome, Verdict
from domain.progress.ports import NewUnit
from domain.shared.clock import Clock
from domain.shared.errors import Conflict, InvalidInput

_TRIES = 5


@dataclass(frozen=True, slots=True)
class RecordAttempts:
    """Counts answers, each exactly once for ever by its id, in the order given for each learner, all in one transaction."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, organization: str, answers: Sequence[Answer]) -> list[Outcome]:
        """Returns an outcome for each answer, in the same order. Raises Unavailable, or Conflict after several lost races."""
        now = self.clock()
        refused = {place: outcome for place, answer in enumerate(answers) if (outcome := _refusal(answer, now))}
        good = [answer for place, answer in enumerate(answers) if place not in refused]
        counted = iter(await self._count(organization, good, now) if good else ())
        return [refused.get(place) or next(counted) for place in range(len(answers))]

    async def _count(self, organization: str, answers: Sequence[Answer], now: datetime) -> list[Outcome]:
        for _ in range(_TRIES - 1):
            try:
                return await self._count_once(organization, answers, now)
            except Conflict:
                continue
        return await self._count_once(organization, answers, now)

    async def _count_once(self, organization: str, answers: Sequence[Answer], now: datetime) -> list[Outcome]:
        async with self.new_unit(organization) as unit:
            workbook = await unit.records.open(answers)
            outcomes = workbook.count(answers, now)
            if workbook.attempts:
                await unit.records.save(workbook)
                await unit.events.add(workbook.updates)
                await unit.commit()
        return outcomes


def _refusal(answer: Answer, now: datetime) -> Outcome | None:
    try:
        answer.check(now)
    except InvalidInput as error:
        return Outcome(Verdict.REFUSED, reason=error.message)
    return None
