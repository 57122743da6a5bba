from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.progress.model import Evidence, Standing
from domain.progress.ports import NewUnit
from domain.progress.standing import standings
from domain.progress.versions import ModelVersions
from domain.shared.caller import Caller
from domain.shared.clock import Clock

_MOST_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class GetSkillMastery:
    """The mastery of one skill as of now, or of another moment, with the newest attempts that moved it, newest first."""

    new_unit: NewUnit
    models: ModelVersions
    clock: Clock

    async def __call__(
        self, caller: Caller, learner: str, skill: str, as_of: datetime | None = None
    ) -> tuple[Standing, Sequence[Evidence]]:
        """Raises SkillNeverPractised."""
        async with self.new_unit(caller.organization) as unit:
            state = await unit.records.skill(learner, skill)
            evidence = await unit.records.evidence(learner, skill, _MOST_EVIDENCE)
        return standings(self.models.live, [state], as_of or self.clock())[0], evidence
