from dataclasses import dataclass

from domain.identity.people import Guardianship, TooManyGuardians
from domain.identity.ports import NewUnit
from domain.identity.use_cases.teaching import tell_of_sight
from domain.shared.caller import Caller, Role
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput

MOST_GUARDIANS = 10


@dataclass(frozen=True, slots=True)
class LinkGuardian:
    """Linking twice is no error: the first link stands."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, learner: str, guardian: str) -> Guardianship:
        if learner == guardian:
            raise InvalidInput.of("guardian", "must be somebody else than the learner")
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            ward = await unit.users.get(learner)  # two links of one learner come one after the other
            found = {user.id: user for user in await unit.users.find([guardian])}
            if not ward.active or Role.LEARNER not in ward.roles:
                raise InvalidInput.of("learner", "must be an active user with the role LEARNER")
            if guardian not in found or not found[guardian].active:
                raise InvalidInput.of("guardian", f"there is no active user {guardian}")
            standing = await unit.guardians.guardians_of(learner)
            if already := next((each for each in standing if each.guardian == guardian), None):
                return already
            if len(standing) >= MOST_GUARDIANS:
                raise TooManyGuardians(f"learner {learner} has {MOST_GUARDIANS} guardians: unlink one first")
            made = Guardianship(guardian, learner, now)
            await unit.guardians.link(made)
            await tell_of_sight(unit, [guardian], now)
            await unit.commit()
        return made
