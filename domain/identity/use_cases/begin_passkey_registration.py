from dataclasses import dataclass

from domain.identity.challenges import Kind, PutChallenge
from domain.identity.passkeys import MOST_PASSKEYS, TooManyPasskeys
from domain.identity.ports import NewUnit
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.put_challenge import PutNewChallenge
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class BeginPasskeyRegistration:
    """A challenge for a new key to sign. Its `credentials` are those the account has: a device that holds one makes no second."""

    new_unit: NewUnit
    put: PutNewChallenge
    clock: Clock

    async def __call__(self, me: SignedIn) -> PutChallenge:
        async with self.new_unit(me.organization) as unit:
            factors = await unit.factors.of(me.user)
            me.check_stepped_up(self.clock(), second_factor=factors.second)
            if len(factors.passkeys) >= MOST_PASSKEYS:
                raise TooManyPasskeys
            keys = tuple(factors.passkeys)
            challenge = await self.put(unit, me.organization, Kind.REGISTER_PASSKEY, me.user, (), passkeys=keys)
            await unit.commit()
        return challenge
