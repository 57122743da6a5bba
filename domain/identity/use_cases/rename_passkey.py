from dataclasses import dataclass

from domain.identity.passkeys import Passkey, own_passkey
from domain.identity.ports import NewUnit
from domain.identity.step_up import SignedIn


@dataclass(frozen=True, slots=True)
class RenamePasskey:
    new_unit: NewUnit

    async def __call__(self, me: SignedIn, passkey_id: str, display_name: str) -> Passkey:
        async with self.new_unit(me.organization) as unit:
            await unit.users.get(me.user)
            passkey = own_passkey((await unit.factors.of(me.user)).passkeys, passkey_id).renamed(display_name)
            await unit.factors.save_passkey(passkey)
            await unit.commit()
        return passkey
