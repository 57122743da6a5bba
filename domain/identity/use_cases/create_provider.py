from dataclasses import dataclass, replace

from domain.identity.credential_ports import Vault
from domain.identity.events import Notice
from domain.identity.federation import (
    MOST_PROVIDERS,
    IdentityProvider,
    ProviderAlreadyExists,
    TooManyProviders,
    checked_secret,
    secret_context,
)
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_providers import ChangeProviders


@dataclass(frozen=True, slots=True)
class CreateProvider:
    """Adds an identity provider. `insecure`: whether one on this machine may be spoken to without TLS."""

    change: ChangeProviders
    vault: Vault
    insecure: bool = False

    async def __call__(self, me: SignedIn, draft: IdentityProvider, secret: str) -> IdentityProvider:
        """The draft's secret and time are not looked at. Raises InvalidInput, ProviderAlreadyExists, TooManyProviders."""
        provider = draft.checked(insecure=self.insecure)
        plain = checked_secret(secret, "identity_provider.client_secret").encode()
        sealed = self.vault.seal(plain, secret_context(me.organization, provider.id))
        provider = replace(provider, sealed_secret=sealed, created_at=self.change.clock())
        async with self.change(me, Notice.IDENTITY_PROVIDER_ADDED) as unit:
            if not await unit.providers.add(provider):
                raise ProviderAlreadyExists(f"there is an identity provider {provider.id} already")
            if len(await unit.providers.all()) > MOST_PROVIDERS:
                raise TooManyProviders
        return provider
