from dataclasses import dataclass, replace

from domain.identity.consents import GuardianDecides
from domain.identity.directory import DirectoryInformation
from domain.identity.events import Notice, SecurityNoticed
from domain.identity.ports import NewUnit
from domain.identity.use_cases.directory_rights import withheld_among
from domain.identity.use_cases.privacy_rights import check_may_see
from domain.shared.caller import Caller, Role
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class SetDirectoryInformation:
    """None takes the choice back: what the organization has chosen counts again. Returns whether it is withheld now."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, user_id: str, choice: DirectoryInformation | None) -> bool:
        """Raises UserNotFound, GuardianDecides."""
        async with self.new_unit(caller.organization) as unit:
            await check_may_see(unit, caller, user_id)
            user = await unit.users.get(user_id)
            alone = caller.user == user_id and Role.ADMIN not in caller.roles
            if choice is not DirectoryInformation.WITHHELD and alone and await unit.guardians.guardians_of(user_id):
                raise GuardianDecides
            await unit.users.save(replace(user, directory=choice))
            withheld = await withheld_among(unit, [user_id])
            notice = Notice.DIRECTORY_WITHHELD if withheld else Notice.DIRECTORY_SHARED
            await unit.events.add([SecurityNoticed(user_id, self.clock(), notice)])
            await unit.commit()
        return bool(withheld)
