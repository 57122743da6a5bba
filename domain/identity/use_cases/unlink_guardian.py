from dataclasses import dataclass

from domain.identity.people import GuardianshipNotFound
from domain.identity.ports import NewUnit
from domain.identity.use_cases.teaching import tell_of_sight
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class UnlinkGuardian:
    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, learner: str, guardian: str) -> None:
        async with self.new_unit(caller.organization) as unit:
            if not await unit.guardians.unlink(guardian, learner):
                raise GuardianshipNotFound(f"{guardian} is no guardian of {learner}")
            await tell_of_sight(unit, [guardian], self.clock())
            await unit.commit()
