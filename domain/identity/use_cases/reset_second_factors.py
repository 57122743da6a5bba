from dataclasses import dataclass

from domain.identity.events import Notice, SecurityNoticed, revocations
from domain.identity.mail import Template, tell
from domain.identity.model import OperatorRoleReserved
from domain.identity.ports import NewUnit
from domain.identity.step_up import SignedIn
from domain.shared.caller import Role
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ResetSecondFactors:
    """For somebody who lost phone, keys and paper: an administrator takes every second factor from the account and ends its sessions.

    The password stays, and nobody but its owner knows it.
    """

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, me: SignedIn, roles: frozenset[Role], user_id: str) -> None:
        now = self.clock()
        async with self.new_unit(me.organization) as unit:
            me.check_stepped_up(now, second_factor=(await unit.factors.of(me.user)).second)
            user = await unit.users.get(user_id)
            if Role.OPERATOR in user.roles and Role.OPERATOR not in roles:
                raise OperatorRoleReserved
            await unit.factors.drop_totp(user_id)
            for passkey in (await unit.factors.of(user_id)).passkeys:
                await unit.factors.drop_passkey(passkey.id)
            await unit.factors.replace_recovery_codes(user_id, ())
            ended = await unit.sessions.end_all(user_id)
            notice = SecurityNoticed(user_id, now, Notice.SECOND_FACTORS_RESET)
            await unit.events.add([notice, *revocations(user_id, ended, now)])
            await tell(unit.mails, user, Template.SECOND_FACTOR_CHANGED, change=Notice.SECOND_FACTORS_RESET)
            await unit.commit()
