from dataclasses import dataclass

from domain.progress.model import Mastery
from domain.progress.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetMastery:
    """What a learner has mastered."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, learner: str) -> Mastery:
        async with self.new_unit(caller.organization) as unit:
            return await unit.records.mastery(learner)
