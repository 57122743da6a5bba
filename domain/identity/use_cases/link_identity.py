from dataclasses import dataclass

from domain.identity.events import Notice
from domain.identity.federated_sign_in import FederatedIdentity, FederationToken, IdentityTaken, PendingLinkRefused
from domain.identity.federation import IdentityProvider, ProviderNotFound
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_factors import ChangeFactors


@dataclass(frozen=True, slots=True)
class LinkIdentity:
    """Connects somebody who has just signed in at a provider with the user who has just proved who they are here."""

    change: ChangeFactors

    async def __call__(self, me: SignedIn, token: FederationToken) -> tuple[IdentityProvider, FederatedIdentity]:
        """Raises StepUpRequired, PendingLinkRefused, IdentityTaken."""
        if token.organization != me.organization:
            raise PendingLinkRefused
        now = self.change.clock()
        async with self.change(me, Notice.IDENTITY_LINKED) as (unit, _):
            pending = await unit.federation.take_link(token.digest)
            if pending is None or now >= pending.expires_at:
                raise PendingLinkRefused
            provider = await unit.providers.find(pending.provider)
            if provider is None or provider.disabled:
                raise ProviderNotFound(pending.provider)
            identity = FederatedIdentity(pending.provider, pending.subject, me.user, now, now)
            if not await unit.federation.link(identity):
                raise IdentityTaken("this account there, or yours here, is connected with another one")
        return provider, identity
