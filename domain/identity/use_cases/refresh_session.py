from dataclasses import dataclass

from domain.identity.events import SessionRevoked
from domain.identity.ports import NewSecret, NewUnit, TokenSigner
from domain.identity.sessions import RefreshToken, SessionRefused, TokenPair
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RefreshSession:
    """Exchanges a refresh token for a new pair.

    A token presented twice is in two hands, and nobody can tell whose is the thief's: the session ends for both. That is as true
    of two at the same moment.
    """

    new_unit: NewUnit
    current_signing_key: CurrentSigningKey
    signer: TokenSigner
    new_secret: NewSecret
    clock: Clock

    async def __call__(self, refresh_token: str) -> TokenPair:
        token = RefreshToken.parse(refresh_token)
        key = await self.current_signing_key()  # first: a token must not be spent for an answer that cannot be given
        now = self.clock()
        async with self.new_unit(token.organization) as unit:
            presented = await unit.sessions.find(token.session, token.digest)
            if presented is None or not presented.session.lives(now):
                raise SessionRefused
            if presented.spent:
                await unit.sessions.end(token.session)
                await unit.events.add([SessionRevoked(presented.session.user, now, token.session)])
                await unit.commit()
                raise SessionRefused
            # Not locked: a deactivation going on meanwhile ends the session when it gets there.
            user = next(iter(await unit.users.find([presented.session.user])), None)
            if user is None or not user.active:
                raise SessionRefused
            fresh = RefreshToken(token.organization, token.session, self.new_secret())
            session = presented.session.renewed(now)
            await unit.sessions.rotate(session, token.digest, fresh.digest)
            plan = await unit.quotas.plan()
            await unit.commit()
        proof = session.authentication
        access = self.signer.sign(key, token.organization, user.id, user.roles, session.id, now, proof, plan=plan)
        return TokenPair(access, str(fresh), session)
