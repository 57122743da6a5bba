from collections.abc import Sequence
from dataclasses import dataclass

from domain.identity.model import UserNotFound
from domain.identity.people import Guardianship
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class ListGuardians:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, learner: str) -> Sequence[Guardianship]:
        async with self.new_unit(caller.organization) as unit:
            if not await unit.users.find([learner]):
                raise UserNotFound(f"no learner {learner}")
            return await unit.guardians.guardians_of(learner)
