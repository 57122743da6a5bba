from dataclasses import dataclass

from domain.identity.people import Profile, ProfileChanges
from domain.identity.ports import NewUnit
from domain.identity.use_cases.directory_rights import shown_profile
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class UpdateProfile:
    """The caller's own."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, changes: ProfileChanges) -> Profile:
        async with self.new_unit(caller.organization) as unit:
            profile = changes.applied_to(await unit.profiles.get(caller.user))
            await unit.profiles.save(profile)
            shown = await shown_profile(unit, caller, profile)
            await unit.commit()
        return shown
