from dataclasses import dataclass

from domain.identity.challenges import Challenge, ChallengeToken, Kind, SecondProof
from domain.identity.model import User
from domain.identity.ports import IdentityUnit
from domain.identity.sessions import TokenPair
from domain.identity.step_up import Method
from domain.identity.use_cases.answer_challenge import AnswerChallenge
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.start_session import StartSession

_KINDS = frozenset({Kind.SIGN_IN, Kind.PASSKEY_SIGN_IN})


@dataclass(frozen=True, slots=True)
class CompleteSignIn:
    """The second step of signing in, or the only one with a passkey."""

    answer: AnswerChallenge
    current_signing_key: CurrentSigningKey
    start_session: StartSession

    async def __call__(self, token: ChallengeToken, proof: SecondProof, device: str) -> TokenPair:
        key = await self.current_signing_key()

        async def start(unit: IdentityUnit, challenge: Challenge, user: User, methods: frozenset[Method]) -> TokenPair:
            return await self.start_session(unit, key, token.organization, user, methods, device, session_id=challenge.session)

        return await self.answer(token, _KINDS, proof, start)
