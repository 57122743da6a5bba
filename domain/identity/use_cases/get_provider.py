from collections.abc import Sequence
from dataclasses import dataclass

from domain.identity.federation import IdentityProvider, ProviderNotFound
from domain.identity.ports import NewUnit


@dataclass(frozen=True, slots=True)
class GetProvider:
    new_unit: NewUnit

    async def __call__(self, organization: str, provider_id: str) -> IdentityProvider:
        """Raises ProviderNotFound."""
        async with self.new_unit(organization) as unit:
            provider = await unit.providers.find(provider_id)
        if provider is None:
            raise ProviderNotFound(provider_id)
        return provider


@dataclass(frozen=True, slots=True)
class ListProviders:
    """Those of an organization, which need not be there: then there are none."""

    new_unit: NewUnit

    async def __call__(self, organization: str) -> Sequence[IdentityProvider]:
        async with self.new_unit(organization) as unit:
            return await unit.providers.all()
