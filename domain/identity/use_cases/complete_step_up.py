from dataclasses import dataclass

from domain.identity.challenges import Challenge, ChallengeToken, FactorRefused, Kind, PasswordProof, Proof
from domain.identity.model import User
from domain.identity.ports import IdentityUnit, NewUnit, TokenSigner
from domain.identity.sessions import Credentials, SigningKey
from domain.identity.step_up import Authentication, Method, SignedIn, combined
from domain.identity.use_cases.answer_challenge import Act, AnswerChallenge
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.prove_password import ProvePassword
from domain.shared.clock import Clock

_KINDS = frozenset({Kind.STEP_UP})


@dataclass(frozen=True, slots=True)
class CompleteStepUp:
    """Makes a session's proof fresh. Returns an access token that says so; the refresh token stays as it is."""

    new_unit: NewUnit
    answer: AnswerChallenge
    prove_password: ProvePassword
    current_signing_key: CurrentSigningKey
    signer: TokenSigner
    clock: Clock

    async def __call__(self, me: SignedIn, token: ChallengeToken, proof: Proof) -> str:
        if token.organization != me.organization:
            raise FactorRefused
        key = await self.current_signing_key()
        if isinstance(proof, PasswordProof):
            return await self._by_password(me, token, proof, self._strengthening(me, key))
        return await self.answer(token, _KINDS, proof, self._strengthening(me, key))

    def _strengthening(self, me: SignedIn, key: SigningKey) -> Act[str]:
        async def strengthen(unit: IdentityUnit, challenge: Challenge, user: User, methods: frozenset[Method]) -> str:
            if challenge.session is None or (challenge.session, user.id) != (me.session, me.user):
                raise FactorRefused
            now = self.clock()
            session = await unit.sessions.get(challenge.session, user.id)
            fresh = Authentication(now, combined(session.authentication.methods, methods))
            await unit.sessions.authenticate(session.id, fresh)
            plan = await unit.quotas.plan()
            return self.signer.sign(key, me.organization, user.id, user.roles, session.id, now, fresh, plan=plan)

        return strengthen

    async def _by_password(self, me: SignedIn, token: ChallengeToken, proof: PasswordProof, act: Act[str]) -> str:
        """Only for an account without a second factor: there the password is all it takes."""
        account = await self.prove_password(Credentials(me.organization, me.user, proof.password))
        if account is None:
            raise FactorRefused
        async with self.new_unit(me.organization) as unit:
            user = await unit.users.get(me.user)
            challenge = await unit.challenges.take(token.challenge, token.digest)
            if challenge is None or challenge.kind is not Kind.STEP_UP or not challenge.open(self.clock()):
                raise FactorRefused
            if (await unit.factors.of(me.user)).second:
                raise FactorRefused
            access = await act(unit, challenge, user, frozenset({Method.PASSWORD}))
            await unit.commit()
        return access
