from dataclasses import dataclass

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
        self, unit: IdentityUnit, key: SigningKey, organization: str, user: User, methods: frozenset[Method], device: str
    ) -> TokenPair:
        now = self.clock()
        session = Session.start(self.new_id(), user.id, now, methods, device)
        refresh = RefreshToken(organization, session.id, self.new_secret())
        await unit.sessions.forget_expired(user.id, now)
        await unit.sessions.start(session, refresh.digest)
        access = self.signer.sign(key, organization, user.id, user.roles, session.id, now, session.authentication)
        return TokenPair(access, str(refresh), session)
