from collections.abc import Sequence
from dataclasses import dataclass

from domain.progress.model import Evidence, SkillMastery
from domain.progress.ports import NewUnit
from domain.shared.caller import Caller

_MOST_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class GetSkillMastery:
    """The mastery of one skill with the newest attempts that moved it, newest first."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, learner: str, skill: str) -> tuple[SkillMastery, Sequence[Evidence]]:
        """Raises SkillNeverPractised."""
        async with self.new_unit(caller.organization) as unit:
            return await unit.records.skill(learner, skill), await unit.records.evidence(learner, skill, _MOST_EVIDENCE)
