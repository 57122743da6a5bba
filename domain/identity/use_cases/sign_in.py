from dataclasses import dataclass

from domain.identity.challenges import Kind, PutChallenge
from domain.identity.ports import NewPlatformUnit, NewSecret, NewUnit, PasswordHasher, TokenSigner
from domain.identity.sessions import Credentials, SignInRefused, TokenPair, throttle_key
from domain.identity.sign_ins import Seen, SeenAccount, SignIns
from domain.identity.step_up import Method
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.put_challenge import PutNewChallenge
from domain.identity.use_cases.settle_attempt import SettleAttempt
from domain.identity.use_cases.start_session import StartSession, signed_in
from domain.shared.clock import Clock
from domain.shared.ids import NewId

_BY_PASSWORD = frozenset({Method.PASSWORD})
_TIMES = 3


@dataclass(frozen=True, slots=True)
class SignIn:
    """Starts a session, or puts a challenge if the account has a second factor. A password hash made with other parameters is replaced
    while the password is at hand.

    The throttle is asked twice: before the slow comparison, to refuse cheaply; and after it, in the transaction that counts a failure or
    starts the session.
    """

    sign_ins: SignIns
    new_unit: NewUnit
    new_platform_unit: NewPlatformUnit
    current_signing_key: CurrentSigningKey
    passwords: PasswordHasher
    signer: TokenSigner
    new_id: NewId
    new_secret: NewSecret
    clock: Clock

    async def __call__(self, given: Credentials) -> TokenPair | PutChallenge:
        """Raises SignInRefused, for whatever cause after the same work, and TooManyFailures."""
        # Another password, or a better hash of the same one, may come between the comparison and the session: then all is done again.
        for _ in range(_TIMES):
            if (answer := await self._once(given)) is not None:
                return answer
        raise SignInRefused

    async def _once(self, given: Credentials) -> TokenPair | PutChallenge | None:
        """None if the password was replaced meanwhile."""
        key = throttle_key(given.organization, given.login)
        seen = await self.sign_ins.look(given.organization, given.login, key)
        seen.throttle.refuse_while_locked(self.clock())
        account = seen.account
        right = await self.passwords.verify(given.password, account.usable_hash if account else None)
        if right and account is not None and (pair := await self._at_once(given, key, seen, account)) is not None:
            return pair
        await SettleAttempt(self.new_platform_unit, self.clock)(key, right=right)
        if not right or account is None:
            raise SignInRefused
        return await self._with_care(given, account)

    async def _at_once(self, given: Credentials, key: str, seen: Seen, account: SeenAccount) -> TokenPair | None:
        """None if there is more to this sign-in, or something has changed since it was looked at."""
        if seen.throttle.failures or account.factors or self.passwords.outdated(account.password_hash or ""):
            return None
        signing_key = await self.current_signing_key()
        starts = self._starts()
        session, refresh = starts.draft(given.organization, account.user, _BY_PASSWORD, given.device)
        event = signed_in(session)
        if not await self.sign_ins.start(given.organization, key, account, session, refresh.digest, [event]):
            return None
        return starts.pair(signing_key, account.roles, session, refresh, seen.plan)

    async def _with_care(self, given: Credentials, seen: SeenAccount) -> TokenPair | PutChallenge | None:
        known = seen.password_hash or ""
        better_hash = await self.passwords.hash(given.password) if self.passwords.outdated(known) else None
        signing_key = await self.current_signing_key()
        put = PutNewChallenge(self.new_id, self.new_secret, self.clock)
        answer: TokenPair | PutChallenge
        async with self.new_unit(given.organization) as unit:
            # A deactivation meanwhile ends sessions only once, and so does another password: this one must not follow it.
            user = await unit.users.get(seen.user)
            account = await unit.accounts.find(seen.user)
            if account is None or not user.active:
                raise SignInRefused
            if account.password_hash != known:
                return None
            if better_hash is not None:
                await unit.accounts.replace_hash(user.id, known, better_hash)
            factors = await unit.factors.of(user.id)
            if ways := factors.ways():
                keys = tuple(factors.passkeys)
                answer = await put(unit, given.organization, Kind.SIGN_IN, user.id, ways, methods=_BY_PASSWORD, passkeys=keys)
            else:
                answer = await self._starts()(unit, signing_key, given.organization, user, _BY_PASSWORD, given.device)
            await unit.commit()
        return answer

    def _starts(self) -> StartSession:
        return StartSession(self.signer, self.new_id, self.new_secret, self.clock)
