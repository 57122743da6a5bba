from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from domain.identity.challenges import Challenge, ChallengeToken, FactorRefused, Kind, PasskeyProof, SecondProof
from domain.identity.events import SecurityNoticed
from domain.identity.model import User
from domain.identity.ports import IdentityUnit, NewUnit
from domain.identity.sessions import throttle_key
from domain.identity.step_up import Method, combined
from domain.identity.use_cases.check_factor import CheckFactor
from domain.identity.use_cases.count_attempt import CountAttempt
from domain.shared.clock import Clock

T = TypeVar("T")
Act = Callable[[IdentityUnit, Challenge, User, frozenset[Method]], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class AnswerChallenge:
    """Ends a challenge by a second factor and acts upon it, in one transaction: what was proved is spent if the act is done.

    Wrong answers are counted by account, whatever challenge they are given to.
    """

    new_unit: NewUnit
    count_attempt: CountAttempt
    check: CheckFactor
    clock: Clock

    async def __call__(self, token: ChallengeToken, kinds: frozenset[Kind], proof: SecondProof, act: Act[T]) -> T:
        """Raises FactorRefused or TooManyFailures."""
        user_id = await self._whose(token, kinds, proof)
        attempts = throttle_key(token.organization, f"\0second factor\0{user_id}")
        await self.count_attempt(attempts)
        try:
            async with self.new_unit(token.organization) as unit:
                user = await unit.users.get(user_id)
                challenge = await unit.challenges.take(token.challenge, token.digest)
                if challenge is None or not challenge.open(self.clock()) or not user.active:
                    raise FactorRefused
                proved = await self.check(unit, token, user, proof)
                # Without a password before it, a key must be two factors by itself.
                if challenge.user is None and Method.USER_VERIFIED not in proved:
                    raise FactorRefused
                done = await act(unit, challenge, user, combined(challenge.methods, proved))
                await unit.commit()
        except FactorRefused as refusal:
            await self._note(token.organization, user_id, refusal)
            raise
        await self.count_attempt.forgive(attempts)
        return done

    async def _whose(self, token: ChallengeToken, kinds: frozenset[Kind], proof: SecondProof) -> str:
        async with self.new_unit(token.organization) as unit:
            challenge = await unit.challenges.peek(token.challenge, token.digest)
            if challenge is None or challenge.kind not in kinds or not challenge.open(self.clock()):
                raise FactorRefused
            if challenge.user is not None:
                return challenge.user
            credential = self.check.relying_party.credential_id(proof.credential) if isinstance(proof, PasskeyProof) else None
            passkey = await unit.factors.find_passkey(credential) if credential else None
        if passkey is None:
            raise FactorRefused
        return passkey.user

    async def _note(self, organization: str, user_id: str, refusal: FactorRefused) -> None:
        """In a unit of its own: the one that refused is undone."""
        if refusal.notice is not None:
            async with self.new_unit(organization) as unit:
                await unit.events.add([SecurityNoticed(user_id, self.clock(), refusal.notice)])
                await unit.commit()
