from collections.abc import Sequence
from dataclasses import dataclass

from domain.identity.consents import Consent
from domain.identity.ports import NewUnit
from domain.identity.use_cases.privacy_rights import check_may_see
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class ListConsents:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, user_id: str) -> Sequence[Consent]:
        """Oldest first. Raises UserNotFound."""
        async with self.new_unit(caller.organization) as unit:
            await check_may_see(unit, caller, user_id)
            await unit.users.get(user_id)
            return await unit.consents.of(user_id)
