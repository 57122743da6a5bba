import hashlib
from dataclasses import dataclass

from domain.identity.federation import ProviderNotFound
from domain.identity.federation_ports import ProviderClient
from domain.identity.ports import NewUnit
from domain.identity.use_cases.end_federated import end_federated
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class EndFederatedSessions:
    """Ends what a provider says has ended, by its logout token (OpenID Connect Back-Channel Logout 1.0)."""

    new_unit: NewUnit
    client: ProviderClient
    clock: Clock

    async def __call__(self, organization: str, provider_id: str, token: str) -> None:
        """Raises ProviderNotFound, InvalidInput, Unavailable."""
        async with self.new_unit(organization) as unit:
            provider = await unit.providers.find(provider_id)
        if provider is None:
            raise ProviderNotFound(provider_id)
        notice = await self.client.logged_out(provider, token, self.clock())
        now = self.clock()
        async with self.new_unit(organization) as unit:
            if not await unit.federation.spend_logout(_digest(provider_id, notice.token_id), now):
                raise InvalidInput.of("logout_token", "came before")
            found = await unit.federation.sessions(provider_id, notice.subject, notice.sid)
            await end_federated(unit, found, now)
            await unit.commit()


def _digest(provider_id: str, token_id: str) -> bytes:
    return hashlib.sha256(f"{provider_id}\0{token_id}".encode()).digest()
