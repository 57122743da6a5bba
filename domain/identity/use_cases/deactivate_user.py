from dataclasses import dataclass

from domain.identity.events import UserDeactivated, revocations
from domain.identity.model import User, check_administrator_remains, check_operator_change
from domain.identity.ports import NewUnit
from domain.identity.use_cases.directory_rights import shown_user
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class DeactivateUser:
    """Ends every session at once, and with them their access tokens, in each process when it hears of it."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, user_id: str) -> User:
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            administrators = await unit.users.administrators()
            before = await unit.users.get(user_id)
            after = before.deactivate(now)
            check_operator_change(caller.roles, before.roles, frozenset())
            check_administrator_remains(administrators, user_id)
            await unit.users.save(after)
            ended = await unit.sessions.end_all(user_id)
            await unit.events.add([UserDeactivated(user_id, now), *revocations(user_id, ended, now)])
            shown = await shown_user(unit, caller, after)
            await unit.commit()
        return shown
