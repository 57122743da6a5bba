from dataclasses import dataclass

from domain.paths.model import Path
from domain.paths.ports import NewPathsUnit
from domain.paths.use_cases.renew_path import RenewPath
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.errors import NotAllowedNow, NotFound, Unavailable


@dataclass(frozen=True, slots=True)
class GetPath:
    """The first look on a new day plans anew: without practice no event would move the dates."""

    new_unit: NewPathsUnit
    renew: RenewPath
    clock: Clock

    async def __call__(self, caller: Caller, learner: str, path_id: str) -> Path:
        async with self.new_unit(caller.organization) as unit:
            path = await unit.paths.get(learner, path_id)
        if path.archived_at is not None or path.planned_on >= self.clock().date():
            return path
        try:
            return await self.renew(caller.organization, learner, path_id, path.course)
        except (Unavailable, NotFound, NotAllowedNow):  # the course or the mastery cannot be had: a plan is better than none
            return await self.renew.dates(caller.organization, learner, path_id)
