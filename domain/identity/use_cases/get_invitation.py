from dataclasses import dataclass

from domain.identity.invitations import Invitation
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetInvitation:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, invitation_id: str) -> Invitation:
        async with self.new_unit(caller.organization) as unit:
            return await unit.invitations.get(invitation_id)
