from dataclasses import dataclass
from datetime import datetime

from domain.progress.model import Mastery
from domain.progress.ports import NewUnit
from domain.progress.standing import mastery
from domain.progress.versions import ModelVersions
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class GetMastery:
    """What a learner has mastered as of now, or of another moment."""

    new_unit: NewUnit
    models: ModelVersions
    clock: Clock

    async def __call__(self, caller: Caller, learner: str, as_of: datetime | None = None) -> Mastery:
        async with self.new_unit(caller.organization) as unit:
            state = await unit.records.learner(learner)
        return mastery(self.models.live, state, as_of or self.clock())
