from dataclasses import dataclass

from domain.identity.challenges import CHALLENGE_LIFE, Challenge, ChallengeToken, Kind, PutChallenge, Way
from domain.identity.events import Notice, SecurityNoticed
from domain.identity.passkeys import Passkey
from domain.identity.ports import IdentityUnit, NewSecret
from domain.identity.step_up import Method
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class PutNewChallenge:
    """Puts a challenge inside a unit; its token is handed out once and kept by nobody."""

    new_id: NewId
    new_secret: NewSecret
    clock: Clock

    async def __call__(
        self,
        unit: IdentityUnit,
        organization: str,
        kind: Kind,
        user: str | None,
        ways: tuple[Way, ...],
        *,
        session: str | None = None,
        methods: frozenset[Method] = frozenset(),
        passkeys: tuple[Passkey, ...] = (),
    ) -> PutChallenge:
        now = self.clock()
        challenge = Challenge(self.new_id(), kind, user, now + CHALLENGE_LIFE, session, methods)
        token = ChallengeToken(organization, challenge.id, self.new_secret())
        if kind is Kind.SIGN_IN and user is not None:
            await unit.events.add([SecurityNoticed(user, now, Notice.SIGN_IN_CHALLENGED)])
        await unit.challenges.put(challenge, token.digest, now)
        return PutChallenge(token, ways, challenge.expires_at, tuple(each.credential_id for each in passkeys))
