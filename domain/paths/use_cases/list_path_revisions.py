from dataclasses import dataclass

from domain.paths.model import Revision
from domain.paths.ports import NewPathsUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListPathRevisions:
    new_unit: NewPathsUnit

    async def __call__(self, caller: Caller, learner: str, path_id: str, request: PageRequest) -> Page[Revision]:
        async with self.new_unit(caller.organization) as unit:
            await unit.paths.get(learner, path_id)
            return await unit.revisions.page(learner, path_id, request)
