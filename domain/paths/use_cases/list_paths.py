from dataclasses import dataclass

from domain.paths.model import Path
from domain.paths.ports import NewPathsUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListPaths:
    new_unit: NewPathsUnit

    async def __call__(
        self, caller: Caller, request: PageRequest, learner: str | None, course: str | None, archived: bool
    ) -> Page[Path]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.paths.page(request, learner, course, archived)
