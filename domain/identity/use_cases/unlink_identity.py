from dataclasses import dataclass

from domain.identity.events import Notice
from domain.identity.federated_sign_in import IdentityNotLinked, LastWayIn
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_factors import ChangeFactors


@dataclass(frozen=True, slots=True)
class UnlinkIdentity:
    """Disconnects the caller from a provider. Their sessions go on: it was they who asked."""

    change: ChangeFactors

    async def __call__(self, me: SignedIn, provider_id: str) -> None:
        """Raises StepUpRequired, IdentityNotLinked, LastWayIn."""
        async with self.change(me, Notice.IDENTITY_UNLINKED) as (unit, factors):
            if not await unit.federation.unlink(provider_id, me.user):
                raise IdentityNotLinked
            account = await unit.accounts.find(me.user)
            password = account is not None and account.password_hash is not None
            if not password and not factors.passkeys and not await unit.federation.of_user(me.user):
                raise LastWayIn
