from dataclasses import dataclass, replace

from domain.identity.credential_ports import Vault
from domain.identity.events import Notice
from domain.identity.federation import IdentityProvider, checked_secret, secret_context
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_providers import ChangeProviders

_FROM_MESSAGE = frozenset(
    {
        "display_name",
        "client_id",
        "scopes",
        "provisioning",
        "linking",
        "email_domains",
        "default_roles",
        "role_rules",
        "roles_follow",
        "disabled",
    }
)
CHANGEABLE = _FROM_MESSAGE | {"client_secret"}


@dataclass(frozen=True, slots=True)
class UpdateProvider:
    """Changes the fields of an identity provider that are named. Its kind and issuer stay: they say whose people its subjects are."""

    change: ChangeProviders
    vault: Vault
    insecure: bool = False

    async def __call__(self, me: SignedIn, given: IdentityProvider, secret: str, fields: frozenset[str]) -> IdentityProvider:
        """Of `given` those fields are taken. Raises InvalidInput, ProviderNotFound."""
        async with self.change(me, Notice.IDENTITY_PROVIDER_CHANGED) as unit:
            before = await unit.providers.get(given.id)
            chosen = {name: getattr(given, name) for name in fields & _FROM_MESSAGE}
            provider = replace(before, **chosen).checked(insecure=self.insecure)
            if "client_secret" in fields:
                plain = checked_secret(secret, "identity_provider.client_secret").encode()
                sealed = self.vault.seal(plain, secret_context(me.organization, provider.id))
                provider = replace(provider, sealed_secret=sealed)
            await unit.providers.save(provider)
        return provider
