from dataclasses import dataclass
from datetime import datetime

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.model import User
from domain.identity.ports import IdentityUnit, NewSecret, TokenSigner
from domain.identity.sessions import RefreshToken, Session, SigningKey, TokenPair
from domain.identity.step_up import Method
from domain.shared.caller import Role
from domain.shared.clock import Clock
from domain.shared.ids import NewId
from domain.shared.plans import Plan


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
        session, refresh = self.draft(
            organization, user.id, methods, device, session_id=session_id, authenticated_at=authenticated_at
        )
        await unit.sessions.forget_expired(user.id, session.started_at)
        await unit.sessions.start(session, refresh.digest)
        await unit.events.add([signed_in(session)])
        return self.pair(key, user.roles, session, refresh, await unit.quotas.plan())

    def draft(
        self,
        organization: str,
        user_id: str,
        methods: frozenset[Method],
        device: str,
        *,
        session_id: str | None = None,
        authenticated_at: datetime | None = None,
    ) -> tuple[Session, RefreshToken]:
        """A session that begins now, and what it is refreshed with; neither is good before it is kept."""
        session = Session.start(session_id or self.new_id(), user_id, self.clock(), methods, device, authenticated_at)
        return session, RefreshToken(organization, session.id, self.new_secret())

    def pair(self, key: SigningKey, roles: frozenset[Role], session: Session, refresh: RefreshToken, plan: Plan) -> TokenPair:
        access = self.signer.sign(
            key, refresh.organization, session.user, roles, session.id, session.started_at, session.authentication, plan=plan
        )
        return TokenPair(access, str(refresh), session)


def signed_in(session: Session) -> SecurityNoticed:
    return SecurityNoticed(session.user, session.started_at, Notice.SIGNED_IN)
