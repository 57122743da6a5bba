from dataclasses import dataclass
from datetime import datetime

from domain.progress.model import Standing
from domain.progress.ports import NewUnit
from domain.progress.standing import standings
from domain.progress.versions import ModelVersions
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListSkillMasteries:
    """What every learner of a course has mastered of it as of now, or of another moment, by learner and skill."""

    new_unit: NewUnit
    models: ModelVersions
    clock: Clock

    async def __call__(
        self,
        caller: Caller,
        course: str,
        request: PageRequest,
        as_of: datetime | None = None,
        learners: frozenset[str] | None = None,
    ) -> Page[Standing]:
        """Of `learners` only, or, when that is None, of all."""
        async with self.new_unit(caller.organization) as unit:
            page = await unit.records.masteries(course, request, learners)
        return Page(tuple(standings(self.models.live, page.elements, as_of or self.clock())), page.next)
