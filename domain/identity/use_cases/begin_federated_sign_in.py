from dataclasses import dataclass
from datetime import datetime

from domain.identity.federated_sign_in import FLOW_LIFE, FederationToken, Flow, browser_digest
from domain.identity.federation import ProviderNotFound
from domain.identity.federation_ports import ProviderClient
from domain.identity.ports import NewSecret, NewUnit
from domain.identity.use_cases.request_authorization import RequestAuthorization
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class BeginFederatedSignIn:
    """Sends a browser to a provider, and remembers that it went."""

    new_unit: NewUnit
    client: ProviderClient
    request: RequestAuthorization
    new_secret: NewSecret
    clock: Clock

    async def __call__(
        self, organization: str, provider_id: str, browser: str, *, fresh: bool, for_linking: bool
    ) -> tuple[str, datetime]:
        """Returns the address and until when the flow is good. Raises ProviderNotFound, Unavailable, NotAllowedNow."""
        digest = browser_digest(browser)
        async with self.new_unit(organization) as unit:
            provider = await unit.providers.find(provider_id)
        if provider is None or provider.disabled:
            raise ProviderNotFound(provider_id)
        state = FederationToken(organization, self.new_secret())
        address = await self.client.authorization_url(provider, self.request(state, fresh=fresh))
        now = self.clock()
        flow = Flow(state.digest, provider_id, digest, now + FLOW_LIFE, fresh, for_linking)
        async with self.new_unit(organization) as unit:
            await unit.federation.begin(flow, now)
            await unit.commit()
        return address, flow.expires_at
