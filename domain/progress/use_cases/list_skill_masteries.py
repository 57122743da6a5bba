from dataclasses import dataclass

from domain.progress.model import SkillMastery
from domain.progress.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListSkillMasteries:
    """What every learner of a course has mastered of it, by learner and skill."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, course: str, request: PageRequest) -> Page[SkillMastery]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.records.masteries(course, request)
