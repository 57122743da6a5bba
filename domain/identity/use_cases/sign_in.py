from dataclasses import dataclass

from domain.identity.ports import NewSecret, NewUnit, PasswordHasher, TokenSigner
from domain.identity.sessions import Credentials, RefreshToken, Session, SignInRefused, TokenPair
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.prove_password import ProvePassword
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class SignIn:
    """Starts a session. A password hash made with older parameters is replaced while the password is at hand."""

    new_unit: NewUnit
    prove_password: ProvePassword
    current_signing_key: CurrentSigningKey
    passwords: PasswordHasher
    signer: TokenSigner
    new_id: NewId
    new_secret: NewSecret
    clock: Clock

    async def __call__(self, given: Credentials) -> TokenPair:
        account = await self.prove_password(given)
        if account is None or account.password_hash is None:
            raise SignInRefused
        outdated = self.passwords.outdated(account.password_hash)
        better_hash = await self.passwords.hash(given.password) if outdated else None
        key = await self.current_signing_key()
        now = self.clock()
        session = Session.start(self.new_id(), account.user.id, now)
        refresh = RefreshToken(given.organization, session.id, self.new_secret())
        async with self.new_unit(given.organization) as unit:
            user = await unit.users.get(
                session.user
            )  # a deactivation meanwhile ends sessions only once: this one must not follow it
            if not user.active:
                raise SignInRefused
            if better_hash is not None:
                await unit.accounts.replace_hash(user.id, account.password_hash, better_hash)
            await unit.sessions.forget_expired(user.id, now)
            await unit.sessions.start(session, refresh.digest)
            await unit.commit()
        access = self.signer.sign(key, given.organization, user.id, user.roles, session.id, now)
        return TokenPair(access, str(refresh), session)
