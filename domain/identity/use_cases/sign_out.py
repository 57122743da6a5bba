from dataclasses import dataclass

from domain.identity.events import SessionRevoked
from domain.identity.ports import NewUnit
from domain.identity.sessions import RefreshToken, SessionRefused
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class SignOut:
    """Ends the session of a refresh token, spent or not. A token of no session is as good as signed out."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, refresh_token: str) -> None:
        try:
            token = RefreshToken.parse(refresh_token)
        except SessionRefused:
            return
        async with self.new_unit(token.organization) as unit:
            presented = await unit.sessions.find(token.session, token.digest)
            if presented is not None:
                await unit.sessions.end(token.session)
                await unit.events.add([SessionRevoked(presented.session.user, self.clock(), token.session)])
                await unit.commit()
