from dataclasses import dataclass

from domain.identity.invitations import Invitation
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RevokeInvitation:
    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, invitation_id: str) -> Invitation:
        async with self.new_unit(caller.organization) as unit:
            revoked = (await unit.invitations.get(invitation_id)).revoke(self.clock())
            await unit.invitations.save(revoked)
            await unit.commit()
        return revoked
