from dataclasses import dataclass

from domain.identity.challenges import Kind, PutChallenge, Way
from domain.identity.ports import NewUnit
from domain.identity.use_cases.put_challenge import PutNewChallenge


@dataclass(frozen=True, slots=True)
class BeginPasskeySignIn:
    """A challenge for whichever passkey the device has. It is put whether or not there is such an organization."""

    new_unit: NewUnit
    put: PutNewChallenge

    async def __call__(self, organization: str) -> PutChallenge:
        async with self.new_unit(organization) as unit:
            challenge = await self.put(unit, organization, Kind.PASSKEY_SIGN_IN, None, (Way.PASSKEY,))
            await unit.commit()
        return challenge
