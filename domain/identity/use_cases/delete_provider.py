from dataclasses import dataclass

from domain.identity.events import Notice
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_providers import ChangeProviders
from domain.identity.use_cases.end_federated import end_federated


@dataclass(frozen=True, slots=True)
class DeleteProvider:
    """Removes an identity provider and what connects its people with users, and ends the sessions that began with it."""

    change: ChangeProviders

    async def __call__(self, me: SignedIn, provider_id: str) -> None:
        """Raises ProviderNotFound."""
        async with self.change(me, Notice.IDENTITY_PROVIDER_REMOVED) as unit:
            await unit.providers.get(provider_id)
            await end_federated(unit, await unit.federation.sessions(provider_id), self.change.clock())
            await unit.providers.drop(provider_id)
