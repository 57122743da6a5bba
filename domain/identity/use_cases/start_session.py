from dataclasses import dataclass
from datetime import datetime

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.model import User
from domain.identity.ports import IdentityUnit, NewSecret, TokenSigner
from domain.identity.sessions import RefreshToken, Session, SigningKey, TokenPair
from domain.identity.step_up import Method
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class StartSession:
    """Starts a session inside a unit, for a user who proved who they are; the unit's commit makes its tokens good."""

    signer: TokenSigner
    new_id: NewId
    new_secret: NewSecret
    clock: Clock

    async def __call__(
        self,
        unit: IdentityUnit,
        key: SigningKey,
        organization: str,
        user: User,
        methods: frozenset[Method],
        device: str,
        *,
        session_id: str | None = None,
        authenticated_at: datetime | None = None,
    ) -> TokenPair:
        """`session_id` is what the session is to be called, for whoever had to note that before it began."""
        now = self.clock()
        session = Session.start(session_id or self.new_id(), user.id, now, methods, device, authenticated_at)
        refresh = RefreshToken(organization, session.id, self.new_secret())
        await unit.sessions.forget_expired(user.id, now)
        await unit.sessions.start(session, refresh.digest)
        await unit.events.add([SecurityNoticed(user.id, now, Notice.SIGNED_IN)])
        access = self.signer.sign(key, organization, user.id, user.roles, session.id, now, session.authentication)
        return TokenPair(access, str(refresh), session)
