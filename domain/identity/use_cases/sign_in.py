from dataclasses import dataclass

from domain.identity.challenges import Kind, PutChallenge
from domain.identity.ports import NewSecret, NewUnit, PasswordHasher, TokenSigner
from domain.identity.sessions import Credentials, SignInRefused, TokenPair
from domain.identity.step_up import Method
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.prove_password import ProvePassword
from domain.identity.use_cases.put_challenge import PutNewChallenge
from domain.identity.use_cases.start_session import StartSession
from domain.shared.clock import Clock
from domain.shared.ids import NewId

_BY_PASSWORD = frozenset({Method.PASSWORD})


@dataclass(frozen=True, slots=True)
class SignIn:
    """Starts a session, or puts a challenge if the account has a second factor. A password hash made with older parameters is replaced
    while the password is at hand."""

    new_unit: NewUnit
    prove_password: ProvePassword
    current_signing_key: CurrentSigningKey
    passwords: PasswordHasher
    signer: TokenSigner
    new_id: NewId
    new_secret: NewSecret
    clock: Clock

    async def __call__(self, given: Credentials) -> TokenPair | PutChallenge:
        account = await self.prove_password(given)
        if account is None or account.password_hash is None:
            raise SignInRefused
        outdated = self.passwords.outdated(account.password_hash)
        better_hash = await self.passwords.hash(given.password) if outdated else None
        key = await self.current_signing_key()
        start = StartSession(self.signer, self.new_id, self.new_secret, self.clock)
        put = PutNewChallenge(self.new_id, self.new_secret, self.clock)
        answer: TokenPair | PutChallenge
        async with self.new_unit(given.organization) as unit:
            # A deactivation meanwhile ends sessions only once: this one must not follow it.
            user = await unit.users.get(account.user.id)
            if not user.active:
                raise SignInRefused
            if better_hash is not None:
                await unit.accounts.replace_hash(user.id, account.password_hash, better_hash)
            factors = await unit.factors.of(user.id)
            if ways := factors.ways():
                keys = tuple(factors.passkeys)
                answer = await put(unit, given.organization, Kind.SIGN_IN, user.id, ways, methods=_BY_PASSWORD, passkeys=keys)
            else:
                answer = await start(unit, key, given.organization, user, _BY_PASSWORD, given.device)
            await unit.commit()
        return answer
