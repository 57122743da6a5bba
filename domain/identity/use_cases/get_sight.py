from dataclasses import dataclass

from domain.identity.people import Sight
from domain.identity.people_settings import TeachersSee
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetSight:
    """Whose work a user sees. Whether they teach at all is for their token to say: this answers only whom, if they do."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, user_id: str) -> Sight:
        async with self.new_unit(caller.organization) as unit:
            everyone = (await unit.organizations.get()).settings.teachers_see is TeachersSee.ALL
            taught = None if everyone else await unit.classes.taught_by(user_id)
            return Sight(taught, await unit.guardians.wards_of(user_id))
