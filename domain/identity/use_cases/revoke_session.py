from dataclasses import dataclass

from domain.identity.events import SessionRevoked
from domain.identity.ports import NewUnit
from domain.identity.step_up import SignedIn
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RevokeSession:
    """Ends one of the caller's own sessions."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, me: SignedIn, session_id: str) -> None:
        async with self.new_unit(me.organization) as unit:
            session = await unit.sessions.get(session_id, me.user)
            await unit.sessions.end(session.id)
            await unit.events.add([SessionRevoked(me.user, self.clock(), session.id)])
            await unit.commit()
