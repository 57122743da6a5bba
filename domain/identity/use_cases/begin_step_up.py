from dataclasses import dataclass

from domain.identity.challenges import Kind, PutChallenge, Way
from domain.identity.ports import NewUnit
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.put_challenge import PutNewChallenge


@dataclass(frozen=True, slots=True)
class BeginStepUp:
    """A challenge for somebody signed in: the second factor, or the password if there is none."""

    new_unit: NewUnit
    put: PutNewChallenge

    async def __call__(self, me: SignedIn) -> PutChallenge:
        session_id = me.session_id()
        async with self.new_unit(me.organization) as unit:
            await unit.users.get(me.user)  # before the session, as whoever deactivates the user does
            session = await unit.sessions.get(session_id, me.user)
            factors = await unit.factors.of(me.user)
            challenge = await self.put(
                unit,
                me.organization,
                Kind.STEP_UP,
                me.user,
                factors.ways() or (Way.PASSWORD,),
                session=session.id,
                methods=session.authentication.methods,
                passkeys=tuple(factors.passkeys),
            )
            await unit.commit()
        return challenge
